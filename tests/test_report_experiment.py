"""The page about an experiment: what it holds, that it needs nothing else, and what it refuses."""

import base64
import re
from html.parser import HTMLParser

import pytest

from topoprior.viewing.report import Figure, Section, Table, write_experiment_report
from topoprior.viewing.report.provenance import commit
from topoprior.viewing.style import new_figure

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
TABLE = Table(
    "Digits read right, in percent",
    ["lines", "paper", "ours", "remark"],
    [["2", "89.0", "91.5", "best"], ["4", "86.1", "-3 <b>", ""]],
    note="Bold: p < 0.05.",
    emphasised={(0, 2)},
)


class Outline(HTMLParser):
    """Tags with their attributes, and whether each is closed."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.open = [], []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


def write(path, **changes):
    content = {
        "title": "Digits",
        "introduction": "What was done.",
        "sections": [Section("Table 1", "One.\n\nTwo\nlines.", [TABLE])],
        "deviations": ["Fewer epochs."],
        "missing": [],
        "configuration": {"preset": "quick"},
        "command": "topoprior reproduce mnist",
    }
    return write_experiment_report(path, **{**content, **changes}).read_text()


def test_the_page_holds_all_and_needs_nothing_else(tmp_path):
    picture = tmp_path / "picture.png"
    picture.write_bytes(PNG)
    figure = new_figure(2, 1)
    figure.subplots().plot([0, 1])
    drawn = [Figure("Drawn.", figure, "a line"), Figure("Bytes.", PNG, "a dot"), Figure("File.", picture, "a file")]
    html = write(
        tmp_path / "page.html",
        sections=[Section("Table 1", "One.\n\nTwo\nlines.", [TABLE, drawn[0]]), Section("Figures", parts=drawn[1:])],
        missing=["lines 12"],
    )
    outline = Outline(html)
    assert outline.open == []
    assert [image["alt"] for image in outline.all("img")] == ["a line", "a dot", "a file"]
    assert all(image["src"].startswith("data:image/png;base64,") for image in outline.all("img"))
    assert len({image["src"] for image in outline.all("img")}) == 2
    assert "http" not in re.sub(r"data:[^\"]*|http-equiv", "", html)
    for words in ("<p>One.</p>", "<p>Two lines.</p>", "Bold: p &lt; 0.05.", "-3 &lt;b&gt;", "<li>lines 12</li>"):
        assert words in html
    assert "<strong>91.5</strong>" in html
    assert html.count("<strong>") == 2  # and the word about what is missing
    assert "<caption><span>Digits read right, in percent</span></caption>" in html
    assert all("scope" in heading for heading in outline.all("th"))
    assert [heading["class"] for heading in outline.all("th") if "class" in heading] == ["text"]  # the remark
    targets = {attributes["id"] for _, attributes in outline.tags if "id" in attributes}
    assert {link["href"][1:] for link in outline.all("a")} <= targets
    assert (commit() or "unknown") in html  # installed, not from a clone: unknown
    assert "topoprior reproduce mnist" in html
    assert html.index("Not everything is here") < html.index("Table 1</h2>")


def test_what_there_is_nothing_to_say_of_is_left_out(tmp_path):
    html = write(tmp_path / "page.html", deviations=[], command=None)
    assert "None that we know of." in html
    assert "Not everything" not in html
    assert "<pre>" not in html
    assert "<nav" not in html


def test_a_page_is_not_overwritten_unasked(tmp_path):
    write(tmp_path / "page.html")
    with pytest.raises(FileExistsError, match=r"page\.html exists already"):
        write(tmp_path / "page.html")
    assert "Other" in write(tmp_path / "page.html", title="Other", overwrite=True)


def test_what_is_wrong_is_said_and_nothing_written(tmp_path):
    with pytest.raises(ValueError, match="each row of 'T' must have 2 texts, row 1 has 1"):
        Table("T", ["a", "b"], [["1", "2"], ["1"]])
    with pytest.raises(ValueError, match=r"emphasised must be places in 'T', got \(1, 0\)"):
        Table("T", ["a"], [["1"]], emphasised={(1, 0)})
    with pytest.raises(ValueError, match="alt must say what the figure 'F' shows"):
        Figure("F", PNG, " ")
    with pytest.raises(ValueError, match="at least one section"):
        write(tmp_path / "page.html", sections=[])
    with pytest.raises(ValueError, match="the figure 'F' must be PNG, WebP, JPEG, GIF or SVG, got b'text'"):
        write(tmp_path / "page.html", sections=[Section("S", parts=[Figure("F", b"text", "a")])])
    with pytest.raises(FileNotFoundError):
        write(tmp_path / "page.html", sections=[Section("S", parts=[Figure("F", tmp_path / "none.png", "a")])])
    assert list(tmp_path.iterdir()) == []
