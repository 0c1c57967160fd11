import numpy as np
import pytest
import torch

import topoprior as tp
from topoprior.experiments import demo, robustness
from topoprior.experiments.robustness import LEVELS, UNITS, Corruption, summarise
from topoprior.imaging.corrupt import remove_lines
from topoprior.viewing.convergence import convergence


def slices(count=2, height=12, width=15):
    return 10 * np.random.default_rng(0).random((count, height, width))


@pytest.mark.parametrize("kind", ["noise", "blur", "lines"])
def test_every_image_is_made_worse_in_its_own_way_and_the_same_each_time(kind):
    given = np.repeat(slices(1), 2, axis=0)
    worse = Corruption(kind, keep_centre=2)
    out = worse(given, 3, name="a")
    assert out.shape == given.shape
    assert not np.allclose(out, given)
    np.testing.assert_array_equal(out, worse(given, 3, name="a"))
    np.testing.assert_array_equal(worse(given, 0, name="a"), given)
    others = (out[1], worse(given, 3, name="b")[0], Corruption(kind, keep_centre=2, seed=1)(given, 3, name="a")[0])
    for other in others:
        assert np.allclose(out[0], other) == (kind == "blur")  # nothing is drawn for it


def test_lines_are_lost_outside_the_centre_and_the_brightest_pixel_stays_as_bright():
    given = slices()
    out = Corruption("lines", keep_centre=4)(given, 8, name="a")
    np.testing.assert_allclose(out.max(axis=(1, 2)), given.max(axis=(1, 2)), rtol=1e-6)
    only_the_centre = remove_lines(given[:, None], 8, seed=0, keep_centre=4)[:, 0]  # nothing is left to chance
    np.testing.assert_allclose(out / given.max(axis=(1, 2), keepdims=True), only_the_centre, rtol=1e-6)


def test_noise_and_blur_take_volumes_and_lines_do_not():
    volumes = np.random.default_rng(0).random((1, 4, 5, 6))
    for kind in ("noise", "blur"):
        assert Corruption(kind)(volumes, 0.5, name="a").shape == volumes.shape
    with pytest.raises(ValueError, match="lines are removed from images of two axes, got 3: cut volumes with --slices"):
        Corruption("lines")(volumes, 1, name="a")


def test_wrong_corruptions_are_refused():
    with pytest.raises(ValueError, match="kind must be one of 'noise', 'blur', 'lines', got 'fog'"):
        Corruption("fog")
    with pytest.raises(ValueError, match="seed must be at least 0, got -1"):
        Corruption("noise", seed=-1)
    with pytest.raises(ValueError, match="keep_centre must be at least 0, got -1"):
        Corruption("lines", keep_centre=-1)
    for level in (-1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match=f"a level must be at least 0 and finite, got {level}"):
            Corruption("noise").check(level)
    with pytest.raises(ValueError, match=r"a number of lines must be whole, got 2.5"):
        Corruption("lines").check(2.5)
    with pytest.raises(ValueError, match=r"lines must be at most .* 12 - 8, got 5"):
        Corruption("lines")(slices(), 5, name="a")


def test_what_is_tried_by_default_is_known():
    assert set(LEVELS) == set(UNITS) == {"noise", "blur", "lines"}
    for kind, levels in LEVELS.items():
        assert levels[0] == 0
        for level in levels:
            Corruption(kind).check(level)


def trial(level, before, after, steps, dice=(0.5, 0.6)):
    return {
        "level": level,
        "right_before": before,
        "right_after": after,
        "dice_before": dice[0],
        "dice_after": dice[1],
        "steps": steps,
    }


TRIALS = [trial(2, 0, 1, 10), trial(1, 1, 1, 0), trial(2, 0, 0, 30, (0.1, 0.2)), trial(2, 1, 1, 0), trial(2, 0, 1, 20)]


def test_a_summary_by_hand():
    first, second = summarise(TRIALS)
    assert (first["level"], first["cases"], first["repaired"], first["steps"]) == (1, 1, None, None)
    assert (second["level"], second["cases"]) == (2, 4)
    assert (second["right_before"], second["right_after"]) == (0.25, 0.75)
    assert second["repaired"] == pytest.approx(2 / 3)
    assert second["steps"] == [15, 20, 25]
    assert (second["dice_before"], second["dice_after"]) == (pytest.approx(0.4), pytest.approx(0.5))
    assert 0.2 < second["right_after_low"] < 0.75 < second["right_after_high"] < 1
    assert second["right_before_low"] == pytest.approx(1 - second["right_after_high"])  # 1 of 4 mirrors 3 of 4


def test_the_figure_shows_the_summary():
    levels = summarise(TRIALS)
    right, overlap, work = convergence(levels, label="blur / pixels").axes
    assert [line.get_ydata().tolist() for line in right.lines] == [[100, 25], [100, 75]]
    assert [line.get_xdata().tolist() for line in overlap.lines] == [[1, 2], [1, 2]]
    assert overlap.lines[1].get_ydata()[1] == pytest.approx(0.5)
    assert (work.lines[0].get_xdata().tolist(), work.lines[0].get_ydata().tolist()) == ([2], [20])
    band = right.collections[1].get_paths()[0].vertices
    assert band[:, 1].max() == pytest.approx(100)
    assert band[:, 1].min() == pytest.approx(100 * levels[0]["right_after_low"])
    assert all(axes.get_xlabel() == "blur / pixels" for axes in (right, overlap, work))
    with pytest.raises(ValueError, match="at least one level, got none"):
        convergence([], label="x")


def test_the_phantoms_are_those_of_the_demo(tmp_path, monkeypatch):
    trained = []

    def train(settings, progress):
        trained.append((settings, progress))
        torch.manual_seed(0)
        return tp.networks.unet(channels=(2, 4)).eval()

    monkeypatch.setattr(demo, "train", train)
    checkpoint = robustness.make_phantoms(tmp_path, count=2, seed=3, progress=print)
    assert trained == [(demo.Settings(seed=3, test_images=2), print)]
    assert tp.networks.load(checkpoint).activation == "sigmoid"
    images, masks = tp.phantoms.ring_segmentation(2, seed=demo.seeds(demo.Settings(seed=3))[1])
    for number in range(2):
        np.testing.assert_array_equal(np.load(tmp_path / "images" / f"phantom00{number}.npy"), images[number, 0])
        np.testing.assert_array_equal(np.load(tmp_path / "labels" / f"phantom00{number}.npy"), masks[number, 0])
