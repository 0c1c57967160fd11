import sys

import numpy as np
import pytest
import torch
from matplotlib import pyplot as plt
from matplotlib.colors import same_color

import topoprior as tp
from topoprior.viewing import overlays, plot

RED, GREEN, BLUE = "#c62828", "#43a047", "#1e5fb4"

# Two parts, the left one with a hole: births and deaths can be read off.
IMAGE = np.array(
    [
        [0.9, 0.9, 0.9, 0.1, 0.0],
        [0.9, 0.2, 0.9, 0.1, 0.7],
        [0.9, 0.8, 0.9, 0.1, 0.0],
    ]
)


@pytest.fixture
def diagrams():
    return tp.persistence(np.stack([np.full_like(IMAGE, 0.3), IMAGE])[:, None])


def lines(axes):
    """Colour and ends of every horizontal bar, from the top."""
    return [
        (tuple(collection.get_colors()[0]), tuple(segment[:, 0]))
        for collection in axes.collections
        for segment in collection.get_segments()
    ]


def texts(axes):
    return [text.get_text() for text in axes.texts]


@pytest.fixture(autouse=True)
def pyplot_knows_nothing():
    yield
    assert plt.get_fignums() == []


def test_barcode_draws_each_bar_from_birth_to_death(diagrams):
    axes = plot.barcode(diagrams, image=1, threshold=0.5)
    bars = lines(axes)
    assert [ends for _, ends in bars] == [(0.9, 0.0), (0.7, 0.1), (0.8, 0.2)]
    for (colour, _), expected in zip(bars, (RED, RED, GREEN), strict=True):
        assert same_color(colour, expected)
    assert axes.get_xlim() == (1.0, 0.0)
    assert axes.get_title() == "Betti numbers at 0.5: (2, 1)"
    assert texts(axes) == ["dimension 0: components", "dimension 1: loops"]
    (line,) = axes.get_lines()
    assert list(line.get_xdata()) == [0.5, 0.5]


def test_barcode_of_a_volume_has_three_colours():
    axes = plot.barcode(tp.persistence(tp.phantoms.shell().astype(np.float32)[None, None]))
    assert [same_color(colour, wanted) for (colour, _), wanted in zip(lines(axes), (RED, BLUE), strict=True)] == [
        True
    ] * 2
    assert texts(axes) == ["dimension 0: components", "dimension 1: tunnels", "dimension 2: cavities"]


def test_bars_that_are_left_out_are_counted():
    image = tp.phantoms.noisy_ring()
    diagrams = tp.persistence(image[None, None])
    axes = plot.barcode(diagrams, max_bars=4)
    lengths = [birth - death for _, (birth, death) in lines(axes)]
    assert len(lengths) == 8
    for k in (0, 1):
        group = diagrams.select(dimension=k)
        np.testing.assert_allclose(lengths[4 * k : 4 * k + 4], group.persistence[:4].numpy(), rtol=1e-6)
        assert f"+ {len(group) - 4} shorter bars" in texts(axes)


def test_no_bar_or_text_lies_outside_the_axes():
    axes = plot.barcode(tp.persistence(tp.phantoms.noisy_ring()[None, None]))
    bottom, top = axes.get_ylim()
    rows = [segment[0, 1] for collection in axes.collections for segment in collection.get_segments()]
    rows += [text.get_position()[1] for text in axes.texts]
    assert top < min(rows)
    assert max(rows) < bottom
    assert len(set(rows)) == len(rows)


def test_given_axes_are_used_and_gradients_do_not_matter(diagrams):
    figure = overlays.new_figure(6, 3)
    left, right = figure.subplots(1, 2)
    values = torch.tensor(IMAGE[None, None], dtype=torch.bfloat16, requires_grad=True)
    assert plot.barcode(tp.persistence(values), ax=left) is left
    assert plot.persistence_diagram(diagrams, ax=right) is right


def test_persistence_diagram_shows_birth_and_death(diagrams):
    axes = plot.persistence_diagram(diagrams, image=1, threshold=0.5)
    _, components, loops = axes.collections
    assert components.get_offsets().tolist() == [[0.9, 0.0], [0.7, 0.1]]
    assert loops.get_offsets().tolist() == [[0.8, 0.2]]
    assert axes.get_title() == "Betti numbers at 0.5: (2, 1)"
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [
        "dimension 0: components",
        "dimension 1: loops",
    ]


def marked(axes):
    """Column and row of all markers: births and deaths of dimension 0, births and deaths of dimension 1, ..."""
    return [collection.get_offsets().filled(np.nan).tolist() for collection in axes.collections]


def test_critical_pixels_are_where_the_indices_say(diagrams):
    axes = plot.critical_pixels(IMAGE, diagrams, image=1)
    births_0, deaths_0, births_1, deaths_1 = marked(axes)
    assert births_0 == [[0, 0], [4, 1]]
    assert np.isnan(deaths_0[0]).all()  # the essential component dies nowhere
    assert deaths_0[1] == [3, 0]
    assert births_1 == [[1, 2]]
    assert deaths_1 == [[1, 1]]
    assert [line.get_xydata().tolist() for line in axes.get_lines()] == [[[4, 1], [3, 0]], [[1, 2], [1, 1]]]
    assert "dimension 0: components (2)" in [text.get_text() for text in axes.get_legend().get_texts()]


def test_critical_pixels_say_how_many_are_left_out(diagrams):
    axes = plot.critical_pixels(torch.from_numpy(IMAGE), diagrams, image=1, max_bars=1)
    assert "dimension 0: components (longest 1 of 2)" in [text.get_text() for text in axes.get_legend().get_texts()]


def test_critical_pixels_of_a_volume_are_those_of_the_plane():
    volume = np.stack([np.zeros_like(IMAGE), IMAGE, np.zeros_like(IMAGE)])
    diagrams = tp.persistence(volume[None, None], dimensions=[0])
    assert marked(plot.critical_pixels(volume, diagrams, plane=1))[0] == [[0, 0], [4, 1]]
    elsewhere = marked(plot.critical_pixels(volume, diagrams, plane=0))[0]
    assert np.isnan(elsewhere).all()


def test_before_after_tells_what_changed():
    after = IMAGE.copy()
    after[1, 4] = 0.2
    figure = plot.before_after(IMAGE, IMAGE, after, target=IMAGE >= 0.8)
    titles = [axes.get_title() for axes in figure.axes]
    assert titles[0] == "before: Betti numbers (2, 1)"
    assert titles[3] == "after: Betti numbers (1, 1)"
    gained, lost = (picture.get_array()[..., 3] > 0 for picture in figure.axes[3].get_images()[1:])
    assert not gained.any()
    assert np.argwhere(lost).tolist() == [[1, 4]]
    legend = [text.get_text() for text in figure.axes[3].get_legend().get_texts()]
    assert legend == ["mask", "target", "gained", "lost"]


def test_before_after_of_a_volume_shows_the_plane_that_changed():
    volume = np.stack([IMAGE, IMAGE, IMAGE])
    after = volume.copy()
    after[2, 1, 4] = 0.0
    figure = plot.before_after(volume, volume, after)
    lost = figure.axes[3].get_images()[2].get_array()[..., 3] > 0
    assert np.argwhere(lost).tolist() == [[1, 4]]


def test_outline_follows_the_sides_of_the_pixels():
    axes = overlays.new_figure(1, 1).subplots()
    overlays.outline(axes, np.array([[True, False]]), RED)
    sides = {tuple(map(tuple, segment.tolist())) for segment in axes.collections[0].get_segments()}
    assert sides == {
        ((-0.5, -0.5), (0.5, -0.5)),
        ((-0.5, 0.5), (0.5, 0.5)),
        ((-0.5, -0.5), (-0.5, 0.5)),
        ((0.5, -0.5), (0.5, 0.5)),
    }


def test_pictures_can_be_saved(tmp_path, diagrams):
    for number, axes in enumerate(
        [plot.barcode(diagrams), plot.persistence_diagram(diagrams), plot.critical_pixels(IMAGE, diagrams)]
    ):
        axes.figure.savefig(tmp_path / f"{number}.png")
    plot.before_after(IMAGE, IMAGE, IMAGE).savefig(tmp_path / "panel.png")
    assert min(file.stat().st_size for file in tmp_path.iterdir()) > 2000


@pytest.mark.parametrize(
    ("call", "rule"),
    [
        (lambda d: plot.barcode(d, image=2), r"image must be in 0\.\.1, got 2"),
        (lambda d: plot.barcode(d, max_bars=0), "max_bars must be at least 1, got 0"),
        (lambda d: plot.barcode(d, threshold=0.0), r"p must be greater than 0 and at most 1, got 0\.0"),
        (lambda d: plot.persistence_diagram(d, image=-1), r"image must be in 0\.\.1, got -1"),
        (
            lambda d: plot.critical_pixels(IMAGE.T, d),
            r"picture must have the shape \(3, 5\) of the images, got \(5, 3\)",
        ),
        (lambda d: plot.critical_pixels(IMAGE, d, max_bars=0), "max_bars must be at least 1, got 0"),
        (lambda d: plot.critical_pixels(IMAGE, d, plane=0), r"got shape \(3, 5\) and plane 0"),
        (lambda _: plot.before_after(IMAGE, IMAGE.T, IMAGE), r"before must have the shape \(3, 5\) of the image, got"),
        (lambda _: plot.before_after(IMAGE, IMAGE, IMAGE, target=IMAGE[:2]), "target must have the shape"),
        (lambda _: plot.before_after(IMAGE, IMAGE, IMAGE * 2), "probabilities in"),
        (lambda _: plot.before_after(IMAGE[0], IMAGE[0], IMAGE[0]), r"got shape \(5,\)"),
    ],
)
def test_bad_arguments(diagrams, call, rule):
    with pytest.raises(ValueError, match=rule):
        call(diagrams)


def test_without_matplotlib_the_error_names_the_extra(monkeypatch, diagrams):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"pip install 'topoprior\[plots\]'"):
        plot.barcode(diagrams)
