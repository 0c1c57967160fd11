"""Volumes in a report: what goes into the page, and that one can scroll and turn them in a browser."""

import base64

import numpy as np
import pytest

from browser import CHROMIUM, page
from topoprior.viewing.report import Section, Volume, write_experiment_report

SHAPE = (9, 12, 15)


def plate():
    image = np.linspace(0, 1, np.prod(SHAPE)).reshape(SHAPE)
    before, after = np.zeros(SHAPE, bool), np.zeros(SHAPE, bool)
    before[2:7, 3:9, 4:12] = True
    after[2:7, 3:9, 4:10] = True
    target = np.roll(after, 1, axis=1)
    return image, before, after, target


def voxels(content, name):
    shape = tuple(map(int, content["shape"].split(",")))
    return np.frombuffer(base64.b64decode(content[name]), np.uint8).reshape(shape)


def test_masks_are_bits_and_intensities_bytes():
    image, before, after, target = plate()
    content = Volume("", image, before, after, target, spacing=(1, 2, 3)).content()
    masks = voxels(content, "masks")
    for bit, mask in enumerate((before, after, target)):
        assert np.array_equal(masks >> bit & 1, mask)
    grey = voxels(content, "image")
    assert grey.min() == 0
    assert grey.max() == 255
    assert (np.diff(grey.ravel().astype(int)) >= 0).all()
    assert content["spacing"] == "1,2,3"
    start = tuple(map(int, content["start"].split(",")))
    assert before[start] != after[start]


def test_volumes_are_turned_as_radiologists_are_used_to():
    image, before, after, _ = plate()
    # The first axis of the file runs to the feet, the second to the right, the third to the front.
    affine = np.array([[0, 2.0, 0, 0], [0, 0, 3.0, 0], [-1.0, 0, 0, 0], [0, 0, 0, 1]])
    content = Volume("", image, before, after, affine=affine, spacing=(1, 2, 3)).content()
    # What is shown runs to the left, the back and the feet.
    seen = image.transpose(1, 2, 0)[::-1, ::-1]
    assert content["shape"] == "12,15,9"
    assert content["spacing"] == "2,3,1"
    expected = before.transpose(1, 2, 0)[::-1, ::-1] + 2 * after.transpose(1, 2, 0)[::-1, ::-1]
    assert np.array_equal(voxels(content, "masks"), expected)
    assert np.corrcoef(voxels(content, "image").ravel(), seen.ravel())[0, 1] > 0.99


def test_large_volumes_are_thinned(monkeypatch):
    monkeypatch.setattr("topoprior.viewing.report.volume._MOST_VOXELS", 300)
    image, before, after, _ = plate()
    volume = Volume("", image, before, after, spacing=(1, 1, 2))
    assert volume.thinned == 2
    content = volume.content()
    assert content["shape"] == "5,6,8"
    assert content["spacing"] == "2,2,4"
    assert np.array_equal(voxels(content, "masks") & 1, before[::2, ::2, ::2])


def test_wrong_volumes_are_refused():
    image, before, after, _ = plate()
    with pytest.raises(ValueError, match=r"image must have three axes, got shape \(9, 12\)"):
        Volume("", image[..., 0], before, after)
    with pytest.raises(ValueError, match=r"after must have the shape \(9, 12, 15\) of the image, got \(9, 12, 14\)"):
        Volume("", image, before, after[..., 1:])
    with pytest.raises(ValueError, match=r"spacing must be three positive numbers, got \(1, 0, 1\)"):
        Volume("", image, before, after, spacing=(1, 0, 1))


def report(path, *volumes):
    return write_experiment_report(
        path,
        title="Volumes",
        introduction="",
        sections=[Section("One", "", volumes)],
        deviations=[],
        missing=[],
        configuration={},
        command=None,
    )


def test_only_pages_with_volumes_have_a_script(tmp_path):
    image, before, after, _ = plate()
    text = report(tmp_path / "volume.html", Volume("A plate", image, before, after)).read_text()
    assert text.count("<script>") == 1
    assert "script-src 'sha256-" in text
    assert "script" not in report(tmp_path / "none.html").read_text().replace("noscript", "")


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")
def test_one_can_scroll_and_turn(tmp_path):
    image, before, after, target = plate()
    file = report(tmp_path / "page.html", Volume("A plate", image, before, after, target, spacing=(1.0, 1.0, 2.0)))
    with page(tmp_path / "profile") as shown:
        shown.open(file)
        assert shown.ask("document.querySelectorAll('figure.volume canvas').length") == 4
        figure = "document.querySelector('figure.volume').dataset"
        painted = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"

        def state(name):
            shown.ask(painted)
            return shown.ask(f"{figure}.{name}")

        def middle(canvas):
            at = f"document.querySelectorAll('figure.volume canvas')[{canvas}]"
            shown.ask(f"{at}.scrollIntoView()")
            return shown.ask(f"(b => [b.x + b.width / 2, b.y + b.height / 2])({at}.getBoundingClientRect())")

        def pixels(canvas):
            return shown.ask(f"document.querySelectorAll('figure.volume canvas')[{canvas}].toDataURL()")

        def colours(canvas):
            """How many pixels are more blue than red, and how many more red than blue."""
            return shown.ask(
                f"(c => {{const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data; let n = [0, 0];"
                "for (let k = 0; k < d.length; k += 4) {n[0] += d[k + 2] > d[k] + 20; n[1] += d[k] > d[k + 2] + 20}"
                f"return n}})(document.querySelectorAll('figure.volume canvas')[{canvas}])"
            )

        planes = list(map(int, state("planes").split(",")))
        assert before[tuple(planes)] != after[tuple(planes)]  # it begins where something changed
        old = pixels(0)
        x, y = middle(0)
        shown.mouse("mouseWheel", x, y, deltaX=0, deltaY=-100)
        planes[2] -= 1
        assert state("planes") == ",".join(map(str, planes))
        assert pixels(0) != old
        assert f"plane {planes[2] + 1} of 15" in shown.ask("document.querySelector('figure.volume span').textContent")

        shown.mouse("mousePressed", x, y, button="left", buttons=1)  # a click takes the other planes there
        shown.mouse("mouseReleased", x, y, button="left")
        assert state("planes") == f"4,6,{planes[2]}"

        turn, old = state("turn"), pixels(3)
        x, y = middle(3)
        shown.mouse("mousePressed", x, y, button="left", buttons=1)
        shown.mouse("mouseMoved", x + 60, y + 20, button="left", buttons=1)
        shown.mouse("mouseReleased", x + 60, y + 20, button="left")
        assert state("turn") != turn
        assert pixels(3) != old
        assert min(colours(3)[1], 1) == 1

        for word, (bluish, reddish) in {
            "label": (True, False),
            "before": (False, True),
            "none": (False, False),
        }.items():
            shown.ask(f"document.querySelector('input[value={word}]').click()")
            assert state("shown") == word
            blue, red = colours(3)
            assert (blue > 0, red > 0) == (bluish, reddish)
        assert shown.errors == []
        assert shown.requests == [file.as_uri()]
