"""Many images refined at once against one after the other: `topoprior.refine_many` against `topoprior.refine`.

    python benchmarks/refine_many.py                # some minutes on one core
    python benchmarks/refine_many.py --rounds 1     # a quick look

Both adapt the same untrained network to the same smooth random images for the same number of steps, without a stop
rule (``patience=None``), towards a prior out of reach, (9, 9): every step does all there is to do. "Digits" is the
denoiser of ``topoprior reproduce mnist`` with 16 filters on three levels, the others the U-net of
``topoprior.networks.unet`` with its default channels. One round is a batched run and a run one by one, of which fewer
images make do; each warmed up before. Times are for one step of one image, the last state of each image shared out
among its steps; the medians of the rounds. Seconds of the processor are those of all threads, and the ones to compare
on a machine that has other work to do. "Ratio" is one by one over batched, of processor time, from the same rounds.
"Largest difference" is that of any output between the two, with weights of double precision after three steps.
Writes ``results/refine_many.json`` and ``results/refine_many.md``.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from engine import environment
from torch import Tensor, nn

import topoprior as tp
from topoprior.experiments.mnist.networks import denoiser

PRIOR = tp.BettiPrior(9, 9)


@dataclass(frozen=True)
class Row:
    """What is refined, and how many at once."""

    network: str
    side: int
    batch_size: int
    steps: int
    single: int  # images that are refined one by one

    @property
    def name(self) -> str:
        """The first cell of its line."""
        return f"{self.network}, {self.side} x {self.side}, {self.batch_size} at once"


ROWS = (
    Row("digits", 28, 4, 20, 4),
    Row("digits", 28, 16, 20, 4),
    Row("digits", 28, 64, 20, 4),
    Row("digits", 28, 256, 10, 4),
    Row("U-net", 28, 64, 5, 4),
    Row("U-net", 80, 4, 5, 2),
    Row("U-net", 80, 16, 5, 2),
    Row("U-net", 160, 4, 5, 2),
    Row("U-net", 160, 16, 3, 2),
)


def network_of(row: Row) -> nn.Module:
    torch.manual_seed(0)
    if row.network == "U-net":
        return tp.networks.unet()
    network = denoiser((16, 16, 16))
    nn.init.zeros_(network.last.bias)  # else the untrained network shows nothing
    return network


def images_of(row: Row) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    coarse = torch.randn(row.batch_size, 1, 7, 7, generator=generator)
    return F.interpolate(coarse, size=row.side, mode="bilinear")


def many(network: nn.Module, images: Tensor, steps: int) -> list[tp.RefinementResult]:
    return tp.refine_many(
        network, images, PRIOR, activation="sigmoid", max_steps=steps, patience=None, batch_size=len(images)
    )


def one_by_one(network: nn.Module, images: Tensor, steps: int) -> list[tp.RefinementResult]:
    return [
        tp.refine(network, image[None], PRIOR, activation="sigmoid", max_steps=steps, patience=None) for image in images
    ]


def timed(work: Any, network: nn.Module, images: Tensor, steps: int) -> dict[str, float]:
    """Seconds for one step of one image."""
    wall, processor = time.perf_counter(), time.process_time()
    work(network, images, steps)
    count = len(images) * steps
    return {
        "processor": (time.process_time() - processor) / count,
        "wall": (time.perf_counter() - wall) / count,
    }


def measure(row: Row, rounds: int) -> dict[str, Any]:
    network, images = network_of(row), images_of(row)
    few = images[: row.single]
    exact = copy.deepcopy(network).double()
    pairs = zip(many(exact, few.double(), 3), one_by_one(exact, few.double(), 3), strict=True)
    difference = max((ours.output - theirs.output).abs().max().item() for ours, theirs in pairs)
    many(network, images, 1)
    one_by_one(network, few, 1)
    runs = [
        {"many": timed(many, network, images, row.steps), "one_by_one": timed(one_by_one, network, few, row.steps)}
        for _ in range(rounds)
    ]
    return {"steps": row.steps, "rounds": runs, "largest_difference": difference}


def table(records: dict[str, dict[str, Any]]) -> str:
    columns = ["", "at once: processor, ms", "wall, ms", "one by one: processor, ms", "wall, ms", "ratio"]
    lines = ["| " + " | ".join([*columns, "largest difference"]) + " |", "|" + "---|" * (len(columns) + 1)]
    for name, record in records.items():
        rounds = record["rounds"]
        cells = [
            f"{statistics.median(run[way][clock] for run in rounds) * 1e3:.2f}"
            for way in ("many", "one_by_one")
            for clock in ("processor", "wall")
        ]
        ratio = statistics.median(run["one_by_one"]["processor"] / run["many"]["processor"] for run in rounds)
        cells += [f"{ratio:.1f}", f"{record['largest_difference']:.0e}"]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def write(folder: Path, about: dict[str, Any], records: dict[str, dict[str, Any]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    head = "\n".join(f"- {key}: {value}" for key, value in about.items())
    text = [__doc__.split("\n\n", 2)[2].strip(), head, table(records)]
    page = "\n\n".join(["# Many images refined at once", *text]) + "\n"
    content = json.dumps({"environment": about, "results": records}, indent=1) + "\n"
    for name, text_of_file in (("refine_many.json", content), ("refine_many.md", page)):
        temporary = folder / f".{name}"
        temporary.write_text(text_of_file, encoding="utf-8")
        temporary.replace(folder / name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1, help="of torch and of the engine")
    parser.add_argument("--only", default="", help="rows whose name contains this")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    command = " ".join(["python benchmarks/refine_many.py", *sys.argv[1:]]).strip()
    about = environment() | {"threads": arguments.threads, "command": command}
    records = {}
    for row in ROWS:
        if arguments.only in row.name:
            records[row.name] = measure(row, arguments.rounds)
            print(table({row.name: records[row.name]}).splitlines()[-1], file=sys.stderr, flush=True)
    write(arguments.output, about | {"load_after": round(os.getloadavg()[0], 2)}, records)


if __name__ == "__main__":
    main()
