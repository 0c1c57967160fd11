"""What the interactive page shows, without a page: maps, wishes, bars and their roles, and code that does the same."""

import base64
import re
import shlex
import zlib

import numpy as np
import pytest
import torch

import topoprior as tp
from topoprior.app import panels, views
from topoprior.app.barcodes import barcode
from topoprior.app.canvas import decoded, encoded
from topoprior.app.exploration import explore
from topoprior.app.pictures import change_picture, map_picture, png
from topoprior.app.recipe import command_line, download, python_code
from topoprior.app.server import free_port
from topoprior.app.sources import EXAMPLES, LARGEST_SIDE, degraded, fitted, load
from topoprior.app.trial import Method, refined
from topoprior.app.wish import ANY, AT_LEAST, BETWEEN, EXACTLY, Wish, entry, wanted_in_words
from topoprior.cli import run

RING = Wish(tp.BettiPrior(1, 1))


def fields(drawing, **changes):
    usual = {
        "drawing": encoded(drawing),
        "blur": 0,
        "noise": 0,
        "components": EXACTLY,
        "fewest_components": 1,
        "most_components": None,
        "loops": EXACTLY,
        "fewest_loops": 1,
        "most_loops": None,
        "construction": "T",
        "boundary": "background",
        "threshold": 0.5,
        "level": 0.5,
    }
    return views.Fields(**(usual | changes))


def betti(values, **options):
    return tp.betti_numbers(torch.from_numpy(values >= 0.5)[None, None], **options)[0, 0].tolist()


# Maps


@pytest.mark.parametrize(
    ("name", "numbers"),
    [
        ("Noisy ring", [12, 21]),
        ("Broken ring", [1, 0]),
        ("Three blobs and a loop", [4, 1]),
        ("Short-axis heart, an unsure network", [1, 0]),
    ],
)
def test_examples_have_the_topology_that_they_tell(name, numbers):
    assert betti(EXAMPLES[name]()) == numbers


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_fit_the_page(name):
    values = EXAMPLES[name]()
    assert values.dtype == np.float32
    assert max(values.shape) <= LARGEST_SIDE
    assert 0 <= values.min() <= values.max() <= 1
    assert np.array_equal(values, EXAMPLES[name]())


@pytest.mark.parametrize("name", ["Noisy ring", "Broken ring", "Short-axis heart, an unsure network"])
def test_examples_that_are_wrong_can_be_refined(name):
    assert refined(EXAMPLES[name](), RING, Method()).betti_after == [1, 1]


def test_large_maps_are_averaged_in_blocks():
    values = np.random.default_rng(0).random((7, 11), np.float32)
    small, factor = fitted(values, largest=4)
    assert factor == 3
    expected = [[values[r : r + 3, c : c + 3].mean() for c in range(0, 11, 3)] for r in range(0, 7, 3)]
    np.testing.assert_allclose(small, expected, rtol=1e-6)
    same, factor = fitted(values, largest=11)
    assert factor == 1
    assert same is values


def test_blur_spreads_a_spot_and_keeps_its_mass():
    spot = np.zeros((21, 24), np.float32)
    spot[10, 12] = 1
    seen = degraded(spot, blur_by=1.5)
    rows, columns = np.mgrid[:21, :24]
    gauss = np.exp(-((rows - 10) ** 2 + (columns - 12) ** 2) / (2 * 1.5**2)) / (2 * np.pi * 1.5**2)
    np.testing.assert_allclose(seen, gauss, atol=1e-4)


def test_blur_does_not_wrap_around_the_frame():
    left = np.zeros((9, 13), np.float32)
    left[:, 0] = 1
    seen = degraded(left, blur_by=1)
    assert seen[:, -3:].max() < 1e-3
    np.testing.assert_allclose(seen, np.broadcast_to(seen[:1], seen.shape), atol=1e-6)  # nor in the other direction


def test_noise_has_its_width_and_repeats():
    middle = np.full((100, 100), 0.5, np.float32)
    seen = degraded(middle, noise=0.1)
    assert seen.std() == pytest.approx(0.1, rel=0.05)
    assert np.array_equal(seen, degraded(middle, noise=0.1))
    assert not np.array_equal(seen, degraded(middle, noise=0.1, seed=1))
    with pytest.raises(ValueError, match=r"blur and noise must be at least 0, got 0\.0 and -1"):
        degraded(middle, noise=-1)


def test_without_blur_and_noise_the_map_is_itself():
    values = EXAMPLES["Noisy ring"]()
    assert degraded(values) is values


def test_blur_and_noise_come_on_top_of_the_drawing():
    values = EXAMPLES["Noisy ring"]()
    expected = degraded(decoded(encoded(values)), blur_by=1.25, noise=0.05)
    assert np.array_equal(fields(values, blur=1.25, noise=0.05).probability(), expected)
    blurred = views.show(fields(values, blur=1))
    assert '<b id="betti">1 component and 1 loop</b>' in blurred.verdict


# Files


def test_a_png_is_loaded_and_averaged(tmp_path):
    from PIL import Image

    values = np.zeros((200, 300), np.uint8)
    values[:, 150:] = 255
    Image.fromarray(values).save(tmp_path / "map.png")
    loaded = load(tmp_path / "map.png")
    assert loaded.values.shape == (67, 100)
    assert loaded.values[:, :50].max() == 0
    assert loaded.values[:, 50:].min() == 1
    assert (loaded.axes, loaded.slices) == (2, 1)
    assert loaded.note == (
        "map.png, 200 x 300; too large for this page: 3 x 3 pixels are averaged to one, 67 x 100 are left"
    )


def test_a_slice_of_a_volume_is_loaded(tmp_path):
    volume = np.random.default_rng(0).random((4, 5, 6), np.float32)
    np.save(tmp_path / "map.npy", volume)
    loaded = load(tmp_path / "map.npy", axis=1, index=3)
    assert np.array_equal(loaded.values, volume[:, 3])
    assert (loaded.axes, loaded.slices, loaded.index) == (3, 5, 3)
    assert np.array_equal(load(tmp_path / "map.npy").values, volume[..., 3])  # the middle one of the last axis
    assert np.array_equal(load(tmp_path / "map.npy", axis=0, index=99).values, volume[2])
    with pytest.raises(ValueError, match="the axis of the slices must be 0, 1 or 2, got 3"):
        load(tmp_path / "map.npy", axis=3)


def test_a_nifti_slice_is_turned_as_radiologists_are_used_to(tmp_path):
    import nibabel

    volume = np.random.default_rng(0).random((4, 5, 3), np.float32)
    nibabel.save(nibabel.Nifti1Image(volume, np.diag([-1.5, -1.5, 8.0, 1.0])), tmp_path / "map.nii.gz")
    assert np.array_equal(load(tmp_path / "map.nii.gz", index=1).values, volume[..., 1].T)


def test_logits_go_through_the_sigmoid(tmp_path):
    np.save(tmp_path / "logits.npy", np.array([[-2.0, 0.0, 3.0]], np.float32))
    expected = torch.tensor([[-2.0, 0.0, 3.0]]).sigmoid().numpy()
    np.testing.assert_allclose(load(tmp_path / "logits.npy", logits=True).values, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("map.txt", b"1", "map.txt: the file name must end in .nii.gz, .nii, .png, .npy"),
        ("map.png", b"nonsense", "map.png cannot be read as PNG"),
        ("map.npy", b"", "map.npy cannot be read as NPY: it does not begin as such files do"),
        ("map.nii.gz", b"nonsense", "map.nii.gz cannot be read as NIfTI"),
    ],
)
def test_bad_files_are_named_without_their_folder(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=f"^{re.escape(message)}") as caught:
        load(tmp_path / name)
    assert str(tmp_path) not in str(caught.value)
    source = views.upload(str(tmp_path / name), axis=2, index=None, logits=False)
    assert source.drawing is None
    assert 'role="alert"' in source.note
    assert message in source.note


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.array([[-1.5, 2.0]], np.float32), "probabilities must lie in [0, 1], got values from -1.5 to 2"),
        (np.array([[0, 3]], np.int16), "a probability map has floating-point values in [0, 1], got int16"),
        (np.array([0.1, 0.9], np.float32), "the page shows images with two or three axes, got shape (2,)"),
        (np.array([[0.1, np.nan]], np.float32), "values must be finite, got nan"),
    ],
)
def test_files_that_hold_no_map_are_refused(tmp_path, values, message):
    np.save(tmp_path / "map.npy", values)
    with pytest.raises(ValueError, match=re.escape(f"map.npy: {message}")):
        load(tmp_path / "map.npy")


def test_an_upload_fills_the_canvas(tmp_path):
    values = np.random.default_rng(0).random((4, 5, 6), np.float32)
    np.save(tmp_path / "map.npy", values)
    source = views.upload(str(tmp_path / "map.npy"), axis=0, index=1.0, logits=False)
    np.testing.assert_allclose(decoded(source.drawing), values[1], atol=1e-5)
    assert (source.slices, source.index) == (4, 1)
    assert "map.npy, 4 x 5 x 6, slice 1" in source.note


# The canvas


def test_the_canvas_keeps_16_bits():
    values = np.random.default_rng(0).random((7, 12), np.float32)
    drawing = encoded(values)
    assert (drawing["height"], drawing["width"]) == (7, 12)
    np.testing.assert_allclose(decoded(drawing), values, atol=0.5001 / 65535)
    assert np.array_equal(decoded(encoded(decoded(drawing))), decoded(drawing))


@pytest.mark.parametrize(
    ("drawing", "message"),
    [
        (None, "a drawing has a height, a width and its pixels in base64"),
        ({"height": 1, "width": 1, "pixels": "é"}, "a drawing has a height, a width and its pixels in base64"),
        ({"height": 999, "width": 1, "pixels": ""}, "a drawing has 1 to 128 pixels on each side, got 999 x 1"),
        ({"height": 1, "width": 2, "pixels": "AAA="}, "a drawing of 1 x 2 pixels has 4 bytes, got 2"),
    ],
)
def test_what_is_no_drawing_is_refused(drawing, message):
    with pytest.raises(ValueError, match=message):
        decoded(drawing)


# Wishes


def test_fields_become_a_prior():
    assert fields(np.zeros((2, 2))).wish().prior == tp.BettiPrior(1, 1)
    changed = fields(np.zeros((2, 2)), components=BETWEEN, most_components=3, loops=AT_LEAST, fewest_loops=2.0)
    assert changed.wish().prior == tp.BettiPrior((1, 3), (2, None))
    assert fields(np.zeros((2, 2)), loops=ANY, fewest_loops=None).wish().prior == tp.BettiPrior(1, None)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((EXACTLY, None, None), "components: a field is empty, write a number into it"),
        ((EXACTLY, 1.5, None), r"components: the number must be whole and at least 0, got 1\.5"),
        ((EXACTLY, -1, None), "components: the number must be whole and at least 0, got -1"),
        ((BETWEEN, 3, 1), "components: the range must run from the smaller to the larger number, got 3 to 1"),
        (("about", 3, 1), "components: choose one of exactly, .*, got 'about'"),
    ],
)
def test_wrong_numbers_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        entry(*arguments, dimension=0)


def test_impossible_wishes_are_said_in_the_panel():
    shown = views.show(fields(np.zeros((9, 9)), fewest_components=0))
    assert "No image has no component but a loop: the prior 0,1 cannot be reached." in shown.verdict
    assert (shown.map, shown.bars) == ("", "")
    shown = views.show(fields(np.zeros((9, 9)), components=ANY, loops=ANY))
    assert "A prior must ask for something, got only don&#x27;t care: *,*." in shown.verdict
    with pytest.raises(ValueError, match="the threshold must lie between 0 and 1, got 1"):
        Wish(tp.BettiPrior(1, 1), threshold=1)


@pytest.mark.parametrize(
    ("prior", "words"),
    [
        (tp.BettiPrior(1, 0), "1 component and 0 loops"),
        (tp.BettiPrior((2, 4), (1, None)), "2 to 4 components and at least 1 loop"),
        (tp.BettiPrior(None, 2), "any number of components and 2 loops"),
    ],
)
def test_priors_in_words(prior, words):
    assert wanted_in_words(prior) == words


# What a map has


def test_bars_have_the_roles_that_the_prior_gives_them():
    values = np.zeros((3, 11), np.float32)
    values[1, 1::2] = [0.9, 0.8, 0.7, 0.6, 0.55]
    found = explore(values, Wish(tp.BettiPrior((1, 3), 1)), level=0.75)
    assert [bar.role for bar in found.bars[0]] == ["wanted", "allowed", "allowed", "surplus", "surplus"]
    assert [bar.birth_pixel for bar in found.bars[0]] == [(1, 1), (1, 3), (1, 5), (1, 7), (1, 9)]
    assert found.bars[0][0].death_pixel is None
    assert found.missing == (0, 1)
    assert found.betti == [5, 0]
    assert found.betti_at_level == [2, 0]
    assert not found.right
    assert found.losses == (pytest.approx(1 - 0.81 + 0.36 + 0.3025), pytest.approx(1))
    assert found.loss == pytest.approx(
        tp.betti_prior_loss(torch.from_numpy(values)[None, None], tp.BettiPrior((1, 3), 1)).item()
    )


@pytest.mark.parametrize("construction", ["T", "V"])
@pytest.mark.parametrize("boundary", ["background", "foreground"])
def test_what_is_told_is_what_the_library_says(construction, boundary):
    values = np.random.default_rng(1).random((13, 9), np.float32)
    prior = tp.BettiPrior(2, (0, 3))
    found = explore(values, Wish(prior, construction, boundary, 0.6), level=0.3)
    options = {"construction": construction, "boundary": boundary}
    image = torch.from_numpy(values)[None, None]
    assert found.betti == tp.betti_numbers(image >= 0.6, **options)[0, 0].tolist()
    assert found.betti_at_level == tp.betti_numbers(image >= 0.3, **options)[0, 0].tolist()
    assert found.loss == pytest.approx(tp.betti_prior_loss(image, prior, **options).item(), rel=1e-5)
    for bar in (bar for group in found.bars for bar in group):
        assert bar.birth_pixel is None or values[bar.birth_pixel] == pytest.approx(bar.birth)
        assert bar.death_pixel is None or values[bar.death_pixel] == pytest.approx(bar.death)


def test_with_the_outside_as_foreground_a_first_component_is_no_wish():
    found = explore(np.zeros((4, 5), np.float32), Wish(tp.BettiPrior((1, None), 1), boundary="foreground"), level=0.5)
    assert found.losses == (0, pytest.approx(1))
    assert found.betti == [1, 0]


# Pictures


def test_a_png_holds_its_pixels():
    from io import BytesIO

    from PIL import Image

    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    assert np.array_equal(np.asarray(Image.open(BytesIO(png(pixels)))), pixels)


def test_the_ends_of_bars_are_marked_where_they_are():
    values = np.zeros((4, 7), np.float32)
    values[1, 1], values[2, 5] = 0.9, 0.6
    found = explore(values, Wish(tp.BettiPrior(1, 0)), level=0.5)
    picture = map_picture(values, found.bars)
    circles = re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)" r="[\d.]+" fill="(.*?)"', picture)
    assert circles[-1] == ("1.5", "1.5", "#c62828")  # the wanted one is drawn last, on top
    assert circles[0] == ("5.5", "2.5", "#ff8c1a")
    assert len(circles) == 3
    assert "component, born at 0.600, row 2, column 5" in picture
    assert 'viewBox="0 0 7 4"' in picture


def test_what_changed_is_coloured():
    before, after = np.zeros((3, 4), bool), np.zeros((3, 4), bool)
    before[0, :2], after[0, 1:3] = True, True
    content = re.search(r"base64,([^\"]+)", change_picture(before, after, "")).group(1)
    data = base64.b64decode(content)
    start = data.index(b"IDAT") + 4
    rows = np.frombuffer(zlib.decompress(data[start:]), np.uint8).reshape(3, 13)[:, 1:].reshape(3, 4, 3)
    assert rows[0].tolist() == [[255, 140, 26], [236, 236, 236], [46, 155, 255], [38, 42, 48]]


def test_the_barcode_tells_places_and_roles():
    values = np.zeros((3, 5), np.float32)
    values[1, 1], values[1, 3] = 0.9, 0.6
    text = barcode(explore(values, RING, level=0.25), level=0.25)
    assert 'class="wanted" style="left:10.00%;width:90.00%" title="from 0.900 to 0.000' in text
    assert 'class="surplus" style="left:40.00%;width:60.00%"' in text
    assert text.count('class="missing"') == 1
    assert '<i class="level" style="left:75.00%">' in text
    noisy = barcode(explore(EXAMPLES["Noisy ring"](), RING, level=0.5))
    assert noisy.count('class="row"') == 24
    assert re.search(r"and 597 shorter bars, at most 0\.\d{3} long, all too many", noisy)


# Refinement


@pytest.mark.parametrize("guarantee", [False, True])
def test_a_refinement_is_that_of_the_library(guarantee):
    values = EXAMPLES["Broken ring"]()
    trial = refined(values, RING, Method(weight=0.2, max_steps=3, guarantee=guarantee))
    result = tp.refine_map(torch.from_numpy(values)[None, None], tp.BettiPrior(1, 1), weight=0.2, max_steps=3)
    if guarantee:
        result = tp.guarantee(result.output, tp.BettiPrior(1, 1))
    assert np.array_equal(trial.after, result.mask[0, 0].numpy())
    assert trial.succeeded == guarantee
    assert trial.betti_before == [1, 0]
    assert trial.betti_after == betti(trial.probability) == ([1, 1] if guarantee else [1, 0])
    assert trial.gained + trial.lost == int((trial.after != (values >= 0.5)).sum())
    assert trial.stop_reason == ("edited" if guarantee else "no more steps")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weight": 0}, "the weight must be greater than 0 and at most 100, got 0"),
        ({"max_steps": 1001}, "the number of steps must be from 0 to 1000, got 1001"),
    ],
)
def test_wrong_methods_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Method(**options)


def test_what_a_refinement_cannot_do_is_said_in_the_panel():
    small = np.full((3, 3), 0.4, np.float32)
    result, recipe = views.attempt(fields(small, fewest_loops=9), weight=0.1, max_steps=0, guarantee=True)
    assert 'role="alert">An image of shape (3, 3) cannot carry the prior' in result
    assert recipe == ""
    result, _ = views.attempt(fields(small), weight=None, max_steps=5, guarantee=False)
    assert "The weight and the number of steps must not be empty." in result


def test_every_reason_to_stop_has_its_sentence():
    from typing import get_args

    from topoprior.refinement.stopping import StopReason

    assert set(get_args(StopReason)) == set(panels._REASONS)


def test_the_panels_tell_before_and_after():
    result, recipe = views.attempt(fields(EXAMPLES["Noisy ring"]()), weight=0.1, max_steps=200, guarantee=False)
    assert '<b id="betti-before">12 components and 21 loops</b>' in result
    assert '<b id="betti-after">1 component and 1 loop</b>' in result
    assert "topoprior refine map.npy --prior 1,1 -o mask.npy --max-steps 200" in recipe
    shown = views.show(fields(EXAMPLES["Noisy ring"](), level=1.0))
    assert '<b id="betti">12 components and 21 loops</b>' in shown.verdict
    assert '<span class="bad">✗ wanted: 1 component and 1 loop' in shown.verdict
    assert "Pixels of at least 1.00" in shown.map
    assert "<script" not in "".join((*vars(shown).values(), result, recipe))


# Code for the user's files


@pytest.mark.parametrize(
    ("wish", "method"),
    [
        (RING, Method()),
        (Wish(tp.BettiPrior((1, 2), None), "V", "foreground", 0.4), Method(0.3, 20)),
        (RING, Method(max_steps=2, guarantee=True)),
        (Wish(tp.BettiPrior(2, 1), threshold=0.6), Method(max_steps=0, guarantee=True)),
    ],
)
def test_code_and_command_do_what_the_page_did(wish, method, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    values = EXAMPLES["Broken ring"]()[::2, 10:-12]
    link = re.search(r'download="map.npy" href="data:application/octet-stream;base64,([^"]+)"', download(values))
    (tmp_path / "map.npy").write_bytes(base64.b64decode(link.group(1)))
    assert np.array_equal(np.load("map.npy"), values)
    expected = refined(values, wish, method).after

    exec(compile(python_code(wish, method), "code", "exec"), {})
    assert np.array_equal(np.load("mask.npy"), expected)
    (tmp_path / "mask.npy").unlink()
    program, *words = shlex.split(command_line(wish, method))
    assert program == "topoprior"
    assert run(words) == 0, capsys.readouterr().err
    assert np.array_equal(np.load("mask.npy") > 0, expected)


def test_code_and_command_name_all_that_is_not_usual():
    wish, method = Wish(tp.BettiPrior((1, 2), None), "V", "foreground", 0.4), Method(0.3, 20, guarantee=True)
    counting = 'construction="V", boundary="foreground", threshold=0.4)'
    code = python_code(wish, method)
    assert f"tp.refine_map(probability, tp.BettiPrior((1, 2), None), weight=0.3, max_steps=20, {counting}" in code
    assert f"completed(result, tp.BettiPrior((1, 2), None), {counting}" in code
    assert command_line(wish, method) == (
        "topoprior refine map.npy --prior '1-2,*' -o mask.npy --weight 0.3 --max-steps 20 "
        "--construction V --boundary foreground --threshold 0.4 --guarantee"
    )


# The server


def test_a_busy_port_is_named(capsys):
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=f"port {port} is not free .*: choose another with --port"):
            free_port(port)
        assert run(["app", "--port", str(port), "--no-browser"]) == 1
        assert f"error: port {port} is not free" in capsys.readouterr().err
    assert free_port(port) == port
    assert free_port(0) > 0
    with pytest.raises(ValueError, match="--port must be from 0 to 65535, got 70000"):
        free_port(70000)


def test_without_gradio_the_extra_is_named(monkeypatch, capsys):
    monkeypatch.setitem(__import__("sys").modules, "gradio", None)
    assert run(["app", "--port", "0", "--no-browser"]) == 1
    assert "error: the page needs gradio: pip install 'topoprior[app]'" in capsys.readouterr().err
