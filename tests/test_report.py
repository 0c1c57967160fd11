import base64
import re
import sys
from html.parser import HTMLParser

import numpy as np
import pytest
import torch

import topoprior as tp
from topoprior.viewing.report import Case, environment, write_report
from topoprior.viewing.report.refinement import summarise

PRIOR = tp.BettiPrior(1, 1)


def ring(gap):
    """A 9 x 10 ring whose right side is broken where ``gap`` is low."""
    image = np.full((9, 10), 0.05, dtype=np.float32)
    image[2:7, 2:8] = 0.9
    image[3:6, 3:7] = 0.1
    image[4, 7] = gap
    return image


def case(name, gap, **options):
    probability = torch.from_numpy(ring(gap))[None, None]
    result = tp.refine_map(probability, PRIOR, weight=1.0)
    return Case.of(name, ring(gap), result, PRIOR, target=ring(0.9) > 0.5, **options)


@pytest.fixture(scope="module")
def cases():
    return [case("whole", 0.8), case("<b>broken & bent</b>", 0.4)]


class Page(HTMLParser):
    """Visible text, and every address that a browser would follow."""

    def __init__(self, html):
        super().__init__()
        self.text, self.addresses, self.tags, self.hidden = [], [], [], 0
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.hidden += tag in ("style", "script")
        self.addresses += [value for name, value in attrs if name in ("src", "href", "srcset", "action", "data")]

    def handle_endtag(self, tag):
        self.hidden -= tag in ("style", "script")

    def handle_data(self, data):
        if not self.hidden:
            self.text.append(data)

    def words(self):
        return " ".join(" ".join(self.text).split())


def test_a_case_holds_what_the_refinement_did(cases):
    whole, broken = cases
    assert (whole.betti_before, whole.betti_after, whole.steps, whole.dice_before) == ((1, 1), (1, 1), 0, 1.0)
    assert (broken.betti_before, broken.betti_after, broken.error_before, broken.error_after) == ((1, 0), (1, 1), 1, 0)
    assert broken.dice_before == pytest.approx(2 * 17 / 35)
    assert broken.dice_after == 1.0
    assert broken.pixels_changed == 1


def test_summary_by_hand(cases):
    summary = summarise(cases)
    assert (summary["images"], summary["right_before"], summary["right_after"], summary["refined"]) == (2, 1, 2, 1)
    assert summary["dice_before"] == pytest.approx((1 + 2 * 17 / 35) / 2)
    assert summary["median_pixels_changed"] == 1


def test_the_page_is_whole_and_asks_for_nothing(cases, tmp_path):
    path = write_report(tmp_path / "report.html", cases, title="Rings", configuration={"seed": 7})
    html = path.read_text(encoding="utf-8")
    page = Page(html)
    assert len(page.addresses) == 2
    for address in page.addresses:
        assert address.startswith("data:image/png;base64,")
        assert base64.b64decode(address.split(",")[1]).startswith(b"\x89PNG")
    assert not re.search(r"https?://|url\(|@import|<script", html)
    assert "script" not in page.tags
    assert [file.name for file in tmp_path.iterdir()] == ["report.html"]


def test_the_page_says_what_was_found(cases, tmp_path):
    path = write_report(
        tmp_path / "report.html", cases, title="Rings", introduction="Two rings.", configuration={"λ": 1}
    )
    words = Page(path.read_text(encoding="utf-8")).words()
    for expected in (
        "Two rings.",
        "right topology 50.0 % (1 of 2) 100.0 % (2 of 2)",
        "mean Dice 0.9857 1.0000",
        "wanted (1, 1), Betti numbers (1, 0) before and (1, 1) after",
        "λ 1",
        f"torch {torch.__version__}",
    ):
        assert expected in words


def test_text_is_escaped_and_the_worst_case_comes_first(cases, tmp_path):
    path = write_report(tmp_path / "report.html", cases, title="1 < 2 & <i>so on</i>", max_pictures=1)
    html = path.read_text(encoding="utf-8")
    assert "<b>" not in html
    assert "<i>" not in html
    words = Page(html).words()
    assert "The 1 worst of 2 cases" in words
    assert words.index("<b>broken & bent</b>") < words.index("whole")
    assert html.count("<img") == 1


def test_without_targets_there_is_no_dice(tmp_path):
    probability = torch.from_numpy(ring(0.4))[None, None]
    lone = Case.of("ring", ring(0.4), tp.refine_map(probability, PRIOR, weight=1.0), PRIOR)
    path = write_report(tmp_path / "report.html", [lone], title="Rings")
    assert "Dice" not in Page(path.read_text(encoding="utf-8")).words()


def test_a_volume_gets_a_picture_of_one_plane(tmp_path):
    volume = torch.full((1, 1, 3, 5, 6), 0.1)
    volume[..., 1, 1:4, 1:3] = 0.9
    volume[..., 1, 2, 4] = 0.7
    prior = tp.BettiPrior(1, 0, 0)
    result = tp.refine_map(volume, prior, weight=1.0)
    whole = Case.of("volume", volume[0, 0], result, prior)
    assert (whole.betti_before, whole.betti_after) == ((2, 0, 0), (1, 0, 0))
    html = write_report(tmp_path / "report.html", [whole], title="Volume").read_text(encoding="utf-8")
    assert html.count("<img") == 1


def test_an_existing_report_stays_unless_it_may_be_replaced(cases, tmp_path):
    path = tmp_path / "report.html"
    path.write_text("old")
    with pytest.raises(FileExistsError, match="exists already"):
        write_report(path, cases, title="Rings")
    assert path.read_text() == "old"
    write_report(path, cases, title="Rings", max_pictures=0, overwrite=True)
    assert path.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_bad_arguments(cases, tmp_path):
    with pytest.raises(ValueError, match="at least one case, got none"):
        write_report(tmp_path / "report.html", [], title="Rings")
    with pytest.raises(FileNotFoundError, match="cannot be written there"):
        write_report(tmp_path / "absent" / "report.html", cases, title="Rings")
    result = tp.refine_map(torch.from_numpy(ring(0.4))[None, None], PRIOR, max_steps=1)
    with pytest.raises(ValueError, match=r"picture must have the shape \(9, 10\) of the map, got \(10, 9\)"):
        Case.of("ring", ring(0.4).T, result, PRIOR)
    with pytest.raises(ValueError, match=r"target must have the shape \(9, 10\)"):
        Case.of("ring", ring(0.4), result, PRIOR, target=ring(0.4)[1:])
    channels = tp.refine_map(torch.from_numpy(ring(0.4))[None, None].repeat(1, 2, 1, 1), PRIOR, max_steps=1)
    with pytest.raises(ValueError, match=r"one image and one channel, got an output of \(1, 2, 9, 10\)"):
        Case.of("ring", ring(0.4), channels, PRIOR)


def test_without_jinja_the_error_names_the_extra(cases, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(ImportError, match=r"pip install 'topoprior\[report\]'"):
        write_report(tmp_path / "report.html", cases, title="Rings")
    assert list(tmp_path.iterdir()) == []


def test_the_environment_names_versions_and_no_place():
    found = environment()
    assert found["torch"] == torch.__version__
    assert found["numpy"] == np.__version__
    assert not any("/" in value for value in found.values())
