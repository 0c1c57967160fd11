"""The page about an evaluation: what it says, in which order, and that it asks for nothing."""

import base64
import hashlib
import math
import re

import numpy as np
import pytest

from topoprior.evaluation.aggregate import summarise
from topoprior.viewing.agreement import agreement
from topoprior.viewing.report import Evaluation, write_evaluation

MASK = np.zeros((6, 7), dtype=bool)
MASK[2:5, 2:5] = True


def row(case, *, dice=0.9, distance=1.0, errors=(0, 0), name="1", **more):
    return {
        "case": case,
        "class": name,
        "dice": dice,
        "hausdorff95": distance,
        "betti_0": 1 + errors[0],
        "betti_1": 0,
        "betti_error_0": errors[0],
        "betti_error_1": errors[1],
        "topological_success": int(not any(errors)),
        **more,
    }


ROWS = [
    row("fine", dice=0.95),
    row("<b>far & off</b>", errors=(2, 0), distance=math.inf),
    row("poor", dice=0.3),
    row("worst", dice=0.2, errors=(2, 0)),
]


def summary(rows):
    return [
        {
            "class": each.group["class"],
            "measure": each.column,
            "remark": f"{each.infinite} infinite" * bool(each.infinite),
        }
        | {name: each.as_row()[name] for name in ("mean", "low", "high")}
        for each in summarise(rows)
    ]


def page(tmp_path, rows=ROWS, *, picture=None, max_pictures=20, **told):
    report = write_evaluation(
        tmp_path / "report.html",
        Evaluation(rows, summary(rows), **told),
        title="Two < three",
        picture=picture,
        max_pictures=max_pictures,
    )
    return report.read_text(encoding="utf-8")


def words(html):
    return " ".join(re.sub(r"<(style|script)>.*?</\1>|<[^>]+>", " ", html, flags=re.DOTALL).split())


def test_the_page_is_whole_and_runs_no_script_but_its_own(tmp_path):
    html = page(tmp_path, picture=lambda _: agreement(None, MASK, MASK))
    assert not re.search(r"https?://|url\(|@import|<link", html)
    (script,) = re.findall("<script>(.*?)</script>", html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'" in html
    sources = re.findall('src="([^"]*)"', html)
    assert len(sources) == 5
    assert all(source.startswith("data:image/webp;base64,") for source in sources)
    assert [file.name for file in tmp_path.iterdir()] == ["report.html"]


def test_the_worst_come_first_and_text_is_escaped(tmp_path):
    drawn = []
    html = page(
        tmp_path, picture=lambda each: drawn.append(each["case"]) or agreement(None, MASK, MASK), max_pictures=2
    )
    assert drawn == ["worst", "<b>far & off</b>"]
    assert re.findall("<h3>(.*?)</h3>", html) == ["worst", "&lt;b&gt;far &amp; off&lt;/b&gt;"]
    assert "<b>far" not in html
    assert "<title>Two &lt; three</title>" in html
    cells = re.findall(r"<tr><td>(?:<a[^>]*>)?(.*?)(?:</a>)?</td>", html[html.index('id="all"') :])
    assert cells[:4] == ["worst", "&lt;b&gt;far &amp; off&lt;/b&gt;", "poor", "fine"]
    assert "The 2 worst of 4; the table below lists all." in words(html)


def test_means_with_intervals_and_what_is_left_out(tmp_path):
    text = words(page(tmp_path))
    assert "right topology 50.0 % (15.0 to 85.0 %)" in text
    assert "mean over 4 images" in text
    assert re.search(r"95 % Hausdorff distance, mm 1\.00 \(1\.00 to 1\.00\) 1 infinite", text)


def test_classes_stand_side_by_side(tmp_path):
    rows = [row("a", name="wall"), row("a", name="cavity", dice=0.5)]
    text = words(page(tmp_path, rows, things="slices"))
    assert "mean over 1 slices of each class wall cavity" in text
    assert "Dice 0.9000 0.5000" in text


def test_what_a_reader_should_know_of_a_case(tmp_path):
    told = {
        "pixels": 0,
        "target_pixels": 12,
        "target_success": 0,
        "target_betti_0": 2,
        "target_betti_1": 0,
        "wanted": "1,1",
    }
    html = page(tmp_path, [row("a", **told)], picture=lambda _: agreement(None, MASK, MASK))
    assert "the prediction is empty · the label itself has the Betti numbers 2,0" in words(html)
    assert "the label is empty" not in html


def test_a_case_that_cannot_be_drawn_says_why(tmp_path):
    def fail(each):
        raise ValueError(f"{each['case']}.npy is gone")

    assert "No picture: worst.npy is gone" in words(page(tmp_path, picture=fail, max_pictures=1))


def test_tables_and_failures_are_told_if_there_are_any(tmp_path):
    text = words(page(tmp_path))
    assert not re.search("What counts as connected|Comparison with|could not be scored|Worst", text)
    (tmp_path / "report.html").unlink()
    text = words(
        page(
            tmp_path,
            connectivity=[{"pixels touch": "at faces", "right": "50 %"}],
            flips=["The ranking flips."],
            comparison=[{"score": "Dice", "p": "0.031"}],
            other="another",
            failures=["b.npy: broken"],
            files=5,
        )
    )
    for expected in (
        "pixels touch right at faces 50 % The ranking flips.",
        "Comparison with another",
        "score p Dice 0.031",
        "1 of 5 files could not be scored and are in none of the numbers below: b.npy: broken",
    ):
        assert expected in text


def test_nothing_to_tell_and_nothing_overwritten(tmp_path):
    with pytest.raises(ValueError, match="at least one case, got none"):
        write_evaluation(tmp_path / "report.html", Evaluation([], []), title="None")
    page(tmp_path)
    with pytest.raises(FileExistsError, match="exists already"):
        page(tmp_path)
