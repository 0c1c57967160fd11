"""How much do the phantoms resemble real images? Statistics of both, pictures, and the time that phantoms take.

    python benchmarks/phantoms.py --acdc sax_crops80_training.npz --sunnybrook scd5_ed_myocardium_crops80_1p8mm.npz

``--acdc`` holds short-axis slices of the ACDC training patients (Bernard et al., IEEE TMI 37(11), 2018), cut to 80x80
pixels of 1.8 mm about the left ventricle: arrays ``image``, ``label``, ``mid`` (whether the slice is the middle one of
its stack) and ``group``. ``--sunnybrook`` holds those of four patients of the Sunnybrook Cardiac Data (Radau et al.,
MIDAS Journal, 2009; CC0): ``image``, ``label`` (1 myocardium, 2 cavity) and ``case``.

Writes ``results/phantoms.md`` and ``results/phantoms.json``, and to ``../docs/images`` the pictures ``short_axis.png``
(phantoms beside slices of Sunnybrook) and ``ultrasound.png``. ``--picture FILE`` draws phantoms beside slices of ACDC,
which have another licence than this project. ``--train N`` also trains a U-net on N of the phantoms and on N of the
slices of ACDC, and tells how many of the others it segments with the right topology.
"""

import argparse
import itertools
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import ndimage

import topoprior as tp
from topoprior.imaging.corrupt import remove_lines
from topoprior.imaging.preparation import normalise
from topoprior.training.cases import Cases
from topoprior.training.fitting import fit
from topoprior.training.settings import SupervisedSettings, TrainingSettings
from topoprior.viewing.report import environment

RIGHT, WALL, CAVITY = 1, 2, 3
SPACING = 1.8
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
Slices = tuple[np.ndarray, np.ndarray]
HERE = Path(__file__).parent


def brightness(image: np.ndarray, part: np.ndarray) -> float:
    return float(image[part].mean()) if part.sum() > 4 else np.nan


def thickness(labels: np.ndarray, quantile: float) -> float:
    """Of the wall in mm: from pixels of its outer edge to the cavity."""
    wall = labels == WALL
    edge = wall & ndimage.binary_dilation(~(wall | (labels == CAVITY)))
    return float(np.quantile(ndimage.distance_transform_edt(labels != CAVITY)[edge], quantile) * SPACING)


def muscle_in_cavity(image: np.ndarray, labels: np.ndarray) -> float:
    """Share of the cavity that is nearer to the wall's brightness than to that of blood."""
    cavity = image[labels == CAVITY]
    return float((cavity < 0.5 * (np.quantile(cavity, 0.9) + np.median(image[labels == WALL]))).mean())


def like_the_wall(image: np.ndarray, labels: np.ndarray) -> float:
    """Share of the pixels up to two pixels outside the heart that have a brightness of the wall."""
    heart = labels > 0
    beside = ndimage.binary_dilation(heart, iterations=2) & ~heart
    low, high = np.quantile(image[labels == WALL], (0.1, 0.9))
    return float(((image[beside] > low) & (image[beside] < high)).mean())


def noise(image: np.ndarray) -> float:
    """A robust standard deviation of what a second difference along both axes leaves, as of white noise."""
    rough = ndimage.convolve(image, np.outer([1, -2, 1], [1, -2, 1])) / 6
    return float(np.median(np.abs(rough)) / 0.6745)


def signal_to_noise(image: np.ndarray, labels: np.ndarray) -> float:
    """Of the wall less its edges, in dB."""
    inside = ndimage.binary_erosion(labels == WALL)
    if inside.sum() < 10:
        return float("nan")
    return float(20 * np.log10(image[inside].mean() / image[inside].std()))


MEASURES: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "brightness of the right ventricle": lambda image, labels: brightness(image, labels == RIGHT),
    "brightness of the myocardium": lambda image, labels: brightness(image, labels == WALL),
    "brightness of the cavity": lambda image, labels: brightness(image, labels == CAVITY),
    "brightness of the rest": lambda image, labels: brightness(image, labels == 0),
    "deviation in the myocardium": lambda image, labels: float(image[labels == WALL].std()),
    "deviation in the cavity": lambda image, labels: float(image[labels == CAVITY].std()),
    "deviation in the rest": lambda image, labels: float(image[labels == 0].std()),
    "darkest tenth of the rest, up to": lambda image, labels: float(np.quantile(image[labels == 0], 0.1)),
    "muscle in the cavity, share": muscle_in_cavity,
    "beside the heart, as bright as the wall, share": like_the_wall,
    "signal to noise in the myocardium, dB": signal_to_noise,
    "noise": lambda image, _: noise(image),
    "mean gradient": lambda image, _: float(np.hypot(*np.gradient(image)).mean()),
    "area of the cavity, cm²": lambda _, labels: float((labels == CAVITY).sum() * SPACING**2 / 100),
    "area of the myocardium, cm²": lambda _, labels: float((labels == WALL).sum() * SPACING**2 / 100),
    "area of the right ventricle, cm²": lambda _, labels: float((labels == RIGHT).sum() * SPACING**2 / 100),
    "wall thickness, thinnest twentieth, mm": lambda _, labels: thickness(labels, 0.05),
    "wall thickness, median, mm": lambda _, labels: thickness(labels, 0.5),
    "wall thickness, thickest twentieth, mm": lambda _, labels: thickness(labels, 0.95),
}


def measured(slices: Slices) -> dict[str, list[float]]:
    """Quantiles over the slices, each scaled so that its 99th percentile is 1."""
    values: dict[str, list[float]] = {name: [] for name in MEASURES}
    for image, labels in zip(*slices, strict=True):
        scaled = image / np.quantile(image, 0.99)
        for name, measure in MEASURES.items():
            values[name].append(measure(scaled, labels))
    return {name: np.nanquantile(column, QUANTILES).round(4).tolist() for name, column in values.items()}


def acdc(path: Path) -> Slices:
    """The middle slice of each patient at both phases, if it shows a cavity."""
    with np.load(path) as file:
        chosen = file["mid"] & (file["label"] == CAVITY).any((1, 2))
        return file["image"][chosen] / 255.0, file["label"][chosen]


def topology(labels: np.ndarray) -> dict[str, int]:
    """How many label maps break one of the six priors of the heart."""
    priors = tp.presets.short_axis_heart()
    classes = torch.stack([torch.from_numpy(labels == k) for k in range(4)], 1)
    broken = {}
    for construction in ("T", "V"):
        held = [
            prior.is_satisfied_by(
                tp.betti_numbers(classes[:, list(union)].any(1, keepdim=True), construction=construction)
            )[:, 0]
            for union, prior in zip(priors.unions, priors.priors, strict=True)
        ]
        broken[construction] = int((~torch.stack(held).all(0)).sum())
    return broken


def trained(slices: Slices, labelled: int) -> dict[str, float]:
    """Dice and topological success of a U-net on slices with 20 of 80 lines of k-space removed."""
    order = np.random.default_rng(0).permutation(len(slices[0]))
    images = torch.from_numpy(slices[0][order]).float()[:, None]
    images = normalise(remove_lines(images, 20, seed=list(range(len(order))), keep_centre=8), "standard")
    labels = torch.from_numpy((slices[1][order] == WALL).astype(np.uint8))
    first, second = labelled, labelled + 20

    def cases(begin: int, end: int) -> Cases:
        return Cases(images[begin:end], labels[begin:end], tuple(map(str, range(begin, end))), None, (SPACING,) * 2)

    settings = TrainingSettings(supervised=SupervisedSettings(steps=400, batch_size=10, validate_every=100), seed=0)
    result = fit(settings, labelled=cases(0, first), validation=cases(first, second))
    masks = result.masks(images[second:])
    return {
        "test slices": len(masks),
        "Dice": tp.metrics.dice(masks, labels[second:, None]).mean().item(),
        "right topology": tp.metrics.topological_success(masks, tp.BettiPrior(1, 1)).double().mean().item(),
    }


def outlined(ax: Any, image: np.ndarray, labels: np.ndarray | None = None, colours: tuple[str, ...] = ()) -> None:
    ax.imshow(image, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    for label, colour in enumerate(colours, start=1):
        if labels is not None and (labels == label).any():
            ax.contour(labels == label, [0.5], colors=colour, linewidths=0.8)
    ax.set_axis_off()


def sheet(rows: list[tuple[str, list[Callable[[Any], None]]]], path: Path, side: float = 1.1) -> None:
    """Rows of pictures, each with its name above it."""
    import matplotlib.pyplot as plt

    columns = max(len(row) for _, row in rows)
    figure, axes = plt.subplots(
        len(rows),
        columns,
        figsize=(columns * side, len(rows) * (side + 0.16)),
        squeeze=False,
        gridspec_kw={"wspace": 0.04},
    )
    figure.subplots_adjust(left=0.005, right=0.995, bottom=0.005, top=1 - 0.16 / (len(rows) * (side + 0.16)))
    for (name, row), places in zip(rows, axes, strict=True):
        places[0].text(0.0, 1.03, name, transform=places[0].transAxes, fontsize=8)
        for ax, draw in itertools.zip_longest(places, row):
            ax.set_axis_off()
            if draw is not None:
                draw(ax)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def heart_pictures(images: np.ndarray, labels: np.ndarray, *, outlines: bool = False) -> list[Callable[[Any], None]]:
    colours = ("dodgerblue", "limegreen", "tomato") if outlines else ()
    return [
        lambda ax, image=image, label=label: outlined(ax, image, label, colours)
        for image, label in zip(images, labels, strict=True)
    ]


def draw_short_axis(sunnybrook: Path, path: Path) -> None:
    """Slices of Sunnybrook from the middle of its stacks, the first phantoms of a seed, and their labels."""
    with np.load(sunnybrook) as file:
        images, cases = file["image"] / 255.0, file["case"]
    middle = []
    for case in np.unique(cases):
        stack = np.flatnonzero(cases == case)
        middle.extend(stack[len(stack) // 2 - 1 : len(stack) // 2 + 1])
    made = tp.phantoms.short_axis(16, seed=3)
    first, second = slice(0, 8), slice(8, 16)
    pictures = made.images[:, 0]
    rows = [
        ("Slices of four patients, Sunnybrook Cardiac Data", heart_pictures(images[middle], images[middle] * 0)),
        ("Phantoms", heart_pictures(pictures[first], made.labels[first])),
        ("", heart_pictures(pictures[second], made.labels[second])),
        ("Their labels", heart_pictures(pictures[second], made.labels[second], outlines=True)),
    ]
    sheet(rows, path)


def draw_acdc(slices: Slices, path: Path) -> None:
    """Four rows of phantoms among four rows of ACDC."""
    real = np.random.default_rng(0).permutation(len(slices[0]))[:40].reshape(4, 10)
    made = tp.phantoms.short_axis(40, seed=3)
    rows = []
    for k, chosen in enumerate(real):
        rows.append(("ACDC", heart_pictures(slices[0][chosen], slices[1][chosen])))
        part = slice(10 * k, 10 * k + 10)
        rows.append(("Phantoms", heart_pictures(made.images[part, 0], made.labels[part])))
    sheet(rows, path)


def draw_ultrasound(path: Path) -> None:
    """Planes through three volumes: along the beam at two elevations, and across it, with the label outlined."""
    made = tp.phantoms.ultrasound(3, shape=(64, 160, 176), seed=7)
    rows = []
    for k, (volume, label) in enumerate(zip(made.images[:, 0], made.labels, strict=True)):
        row = []
        for image, mask in ((volume[32], label[32]), (volume[12], label[12])):
            row.append(lambda ax, image=image, mask=mask: outlined(ax, image, mask))
            row.append(lambda ax, image=image, mask=mask: outlined(ax, image, mask, ("limegreen",)))
        rows.append((f"Volume {k}: two planes along the beam, without and with the label", row))
    sheet(rows, path, side=2.0)


def seconds_each(make: Callable[[], object], count: int) -> float:
    began = time.process_time()
    make()
    return (time.process_time() - began) / count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--acdc", type=Path, required=True)
    parser.add_argument("--sunnybrook", type=Path, required=True)
    parser.add_argument("--count", type=int, default=400, help="phantoms to measure")
    parser.add_argument("--train", type=int, help="labelled slices of a U-net trained on each")
    parser.add_argument("--picture", type=Path, help="where to draw phantoms beside ACDC")
    parser.add_argument("--output", type=Path, default=HERE / "results")
    parser.add_argument("--images", type=Path, default=HERE.parent / "docs" / "images")
    arguments = parser.parse_args()

    torch.set_num_threads(1)
    draw_short_axis(arguments.sunnybrook, arguments.images / "short_axis.png")
    draw_ultrasound(arguments.images / "ultrasound.png")
    real = acdc(arguments.acdc)
    if arguments.picture:
        draw_acdc(real, arguments.picture)
    made = tp.phantoms.short_axis(arguments.count, seed=0)
    phantoms = (made.images[:, 0].astype(np.float64), made.labels)
    found: dict[str, Any] = {
        "slices": {"ACDC": len(real[0]), "phantom": arguments.count},
        "quantiles": QUANTILES,
        "ACDC": measured(real),
        "phantom": measured(phantoms),
        "phantoms that break a prior": topology(made.labels),
        "seconds": {
            "short_axis, 80x80": seconds_each(lambda: tp.phantoms.short_axis(50, seed=1), 50),
            "ultrasound, 96x240x256": seconds_each(lambda: tp.phantoms.ultrasound(1, seed=1), 1),
        },
        "environment": environment(),
    }
    if arguments.train:
        found["trained"] = {"labelled": arguments.train}
        for name, slices in (("ACDC", rings(real)), ("phantom", phantoms)):
            found["trained"][name] = trained((slices[0][:260], slices[1][:260]), arguments.train)
    page = written(found)
    (arguments.output / "phantoms.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    (arguments.output / "phantoms.md").write_text(page, encoding="utf-8")
    print(page)


def rings(slices: Slices) -> Slices:
    """Those whose myocardium is one component with one loop."""
    walls = torch.from_numpy(slices[1] == WALL)[:, None]
    right = tp.metrics.topological_success(walls, tp.BettiPrior(1, 1))[:, 0].numpy()
    return slices[0][right], slices[1][right]


def written(found: dict[str, Any]) -> str:
    rows = []
    for name in MEASURES:
        cells = []
        for source in ("ACDC", "phantom"):
            low, first, middle, third, high = (f"{value:.3g}" for value in found[source][name])
            cells.append(f"**{middle}** ({first} to {third}; {low} to {high})")
        rows.append(f"| {name} | {cells[0]} | {cells[1]} |")
    broken, count = found["phantoms that break a prior"], found["slices"]
    about = ", ".join(f"{name} {value}" for name, value in found["environment"].items())
    page = f"""# Phantoms beside real slices

{count["ACDC"]} middle slices of the ACDC training patients, both phases, and {count["phantom"]} phantoms of the same
size and spacing. Median over the slices, then the middle half and the middle nine tenths. Each image is scaled so that
its 99th percentile is 1.

| | ACDC | phantom |
|---|---|---|
{chr(10).join(rows)}

Phantoms that break one of the six priors of the heart: {broken["T"]} in T, {broken["V"]} in V, of {count["phantom"]}.

"""
    if "trained" in found:
        labelled = found["trained"]["labelled"]
        page += f"""A U-net trained on {labelled} slices with 20 of 80 lines of k-space removed (400 steps):

| | test slices | Dice | right topology, % |
|---|---|---|---|
"""
        for name in ("ACDC", "phantom"):
            row = found["trained"][name]
            page += f"| {name} | {row['test slices']} | {row['Dice']:.3f} | {100 * row['right topology']:.1f} |\n"
        page += "\n"
    times = "; ".join(f"{name}: {1000 * value:.0f} ms" for name, value in found["seconds"].items())
    return page + f"Processor time of one phantom: {times}.\n\n{about}.\n"


if __name__ == "__main__":
    main()
