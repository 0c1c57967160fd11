"""The topological loss on a volume of clinical size, against the network whose output it judges.

    python benchmarks/volumes.py                   # about a minute on two quiet cores
    python benchmarks/volumes.py --sides 24 60 64  # a quick look

The volume has 96 x 240 x 256 voxels and is network-like, as in ``engine.py``: a smooth random field with a little noise
as logits, through a sigmoid. "Placed" is the same with the structures in the middle half of each axis, and 0.0025
around them. What is timed: the whole loss, checks included, with its gradient in every voxel; and the forward and
backward pass of the 3-D U-net of ``topoprior.networks.unet`` with its default channels, which halves each side in its
first layer and so is a light one.

Every row is a process of its own (a fork that finds its input there), with two threads and ``OMP_WAIT_POLICY=PASSIVE``,
one after the other: one run to warm up, then the median of three (the U-net: warmed up on a small volume, then once).
Peak memory is the growth of the process's largest resident size in its first full run beyond what it held before, the
gradient included, the volume not; "largest resident size" is that of the whole process, all inputs included (Linux).
"Bar error" is `topoprior.Economy.bar_error`: no end of a bar moves by more. Writes ``results/volumes.json`` and
``results/volumes.md``.
"""

import argparse
import json
import os
import statistics
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from engine import Array, environment, make, once, peak, reset_peak

SIDES = (96, 240, 256)
THREADS = 2
NETWORK = "3-D U-net, forward + backward"
PLAIN = "loss"
PAPER = (1, 0, 0)  # the placenta prior of Clough et al. (2022)

# name -> input, prior, options of topoprior.Economy; "middle" stands for the middle half of each axis.
ROWS: dict[str, tuple[str, tuple[int | None, ...], dict[str, Any]]] = {
    PLAIN: ("network-like", PAPER, {}),
    "loss, prior (1, *, 0)": ("network-like", (1, None, 0), {}),
    "loss, prior (1, *, *)": ("network-like", (1, None, None), {}),
    "loss, downsample=2": ("network-like", PAPER, {"downsample": 2}),
    "loss, downsample=2, average": ("network-like", PAPER, {"downsample": 2, "pooling": "average"}),
    "loss, downsample=4": ("network-like", PAPER, {"downsample": 4}),
    "loss, region=middle half": ("network-like", PAPER, {"region": "middle"}),
    "loss, min_persistence=0.05": ("network-like", PAPER, {"min_persistence": 0.05}),
    "placed: loss": ("placed", PAPER, {}),
    "placed: loss, region=0.01": ("placed", PAPER, {"region": 0.01}),
    "placed: loss, region=0.01, downsample=2": ("placed", PAPER, {"region": 0.01, "downsample": 2}),
    "noise: loss": ("noise", PAPER, {}),
    "noise: loss, downsample=2, average": ("noise", PAPER, {"downsample": 2, "pooling": "average"}),
    NETWORK: ("network-like", PAPER, {}),
}


def middle(sides: tuple[int, ...]) -> tuple[slice, ...]:
    return tuple(slice(side // 4, side - side // 4) for side in sides)


def volume(sides: tuple[int, ...], kind: str) -> Array:
    """Shape ``(1, 1, *sides)``, float32."""
    if kind != "placed":
        return make((1, *sides), kind)[:, None]
    placed = np.full((1, 1, *sides), 0.0025, dtype=np.float32)
    box = (slice(None), slice(None), *middle(sides))
    placed[box] = volume(sides, "network-like")[box]
    return placed


def measure_network(image: Array) -> dict[str, Any]:
    import torch

    from topoprior import networks

    torch.manual_seed(0)
    network = networks.unet(spatial_dims=3)

    def step(values: torch.Tensor) -> None:
        network(values).sigmoid().mean().backward()

    step(torch.from_numpy(image[..., :16, :16, :16].copy()))
    before = reset_peak()
    seconds = [once(lambda: step(torch.from_numpy(image)))]
    return {"seconds": seconds, "peak_bytes": peak() - before, "largest_bytes": peak()}


def measure_loss(image: Array, wanted: tuple[int | None, ...], options: dict[str, Any]) -> dict[str, Any]:
    import torch

    import topoprior as tp

    if options.get("region") == "middle":
        options = options | {"region": middle(image.shape[2:])}
    economy, prior = tp.Economy(**options), tp.BettiPrior(*wanted)
    small = torch.rand(1, 1, 8, 9, 10, requires_grad=True)
    tp.betti_prior_loss(small, prior).backward()
    values = torch.from_numpy(image).requires_grad_()
    losses = []

    def step() -> None:
        values.grad = None
        loss = tp.betti_prior_loss(values, prior, economy=economy)
        loss.backward()
        losses.append(loss.item())

    before = reset_peak()
    step()
    record = {"peak_bytes": peak() - before, "largest_bytes": peak()}
    touched = int((values.grad != 0).sum())
    seconds = [once(step) for _ in range(3)]
    return record | {
        "seconds": seconds,
        "loss": losses[0],
        "voxels_with_gradient": touched,
        "bar_error": economy.bar_error(values),
    }


def measure(name: str, image: Array) -> dict[str, Any]:
    import torch

    torch.set_num_threads(THREADS)
    _, wanted, options = ROWS[name]
    return measure_network(image) if name == NETWORK else measure_loss(image, wanted, options)


def in_process(name: str, image: Array) -> dict[str, Any]:
    """Measured in a fork of this process, which has imported torch, but let it do nothing yet."""
    with ProcessPoolExecutor(1, mp_context=get_context("fork")) as process:
        return process.submit(measure, name, image).result()


def table(records: dict[str, dict[str, Any]]) -> str:
    network = statistics.median(records[NETWORK]["seconds"])
    columns = ["", "median, ms", "slowest, ms", "share of the U-net", "peak memory, MB", "largest resident size, MB"]
    columns += ["loss", "voxels with gradient", "bar error"]
    lines = [
        "| " + " | ".join(columns) + " |",
        "|" + "---|" * len(columns),
    ]
    for name, record in records.items():
        median = statistics.median(record["seconds"])
        cells = [f"{median * 1e3:.0f}", f"{max(record['seconds']) * 1e3:.0f}", f"{median / network:.3f}"]
        cells += [f"{record[key] / 1e6:.0f}" for key in ("peak_bytes", "largest_bytes")]
        if "loss" in record:
            cells += [f"{record['loss']:.1f}", f"{record['voxels_with_gradient']}", f"{record['bar_error']:.4f}"]
        else:
            cells += ["", "", ""]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def verdict(records: dict[str, dict[str, Any]]) -> str:
    network, loss = (statistics.median(records[name]["seconds"]) for name in (NETWORK, PLAIN))
    word = "less" if loss < network / 3 else "not less"
    return f"The whole loss with its gradient costs {loss / network:.3f} of the U-net: {word} than one third."


def write(folder: Path, about: dict[str, Any], sides: tuple[int, ...], records: dict[str, dict[str, Any]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    content = {"environment": about, "sides": sides, "results": records}
    head = "\n".join(f"- {key}: {value}" for key, value in {**about, "sides": sides}.items())
    text = [__doc__.split("\n\n", 2)[2].strip(), head, verdict(records), table(records)]
    page = "\n\n".join(["# The loss on volumes of clinical size", *text]) + "\n"
    for name, text_of_file in (("volumes.json", json.dumps(content, indent=1)), ("volumes.md", page)):
        temporary = folder / f".{name}"
        temporary.write_text(text_of_file, encoding="utf-8")
        temporary.replace(folder / name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sides", type=int, nargs=3, default=SIDES)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    os.environ |= {"OMP_WAIT_POLICY": "PASSIVE", "OMP_NUM_THREADS": str(THREADS)}  # before torch is imported
    import monai.networks.nets  # noqa: F401
    import torch  # noqa: F401

    import topoprior.losses.functional  # noqa: F401

    sides = tuple(arguments.sides)
    about = environment() | {"command": " ".join(["python benchmarks/volumes.py", *sys.argv[1:]]).strip()}
    inputs = {kind: volume(sides, kind) for kind in {kind for kind, _, _ in ROWS.values()}}
    records = {}
    for name, (kind, _, _) in ROWS.items():
        records[name] = in_process(name, inputs[kind])
        print(f"{name}: {statistics.median(records[name]['seconds']) * 1e3:.0f} ms", file=sys.stderr, flush=True)
    write(arguments.output, about, sides, records)


if __name__ == "__main__":
    main()
