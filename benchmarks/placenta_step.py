"""The topology of a refinement step on an ultrasound volume of clinical size, on what a real U-net makes of it.

    python benchmarks/placenta_step.py                   # about five minutes on two quiet cores
    python benchmarks/placenta_step.py --sides 24 60 64  # a quick look

Two 3-D U-nets learn the placenta from random crops of two volumes of ``topoprior.phantoms.ultrasound`` of
96 x 240 x 256 voxels, by the Dice loss, and predict a third one after few ("early") and after more steps ("late").
"half" is the network of ``topoprior reproduce placenta --preset paper``, whose maps are smooth. "full" is
``topoprior.networks.unet``, whose transposed convolutions, trained so briefly, leave hundreds to thousands of specks
and holes. What is timed on each map is the whole topological loss with the prior (1, 0, 0), checks included, with its
gradient in every voxel; with all voxels, and with the box of those of at least 0.01. Then ``topoprior.refine`` takes
three steps from the late networks.

Two threads, ``OMP_WAIT_POLICY=PASSIVE``; one run to warm up, then the median of three. "Processor time" is that of all
threads: on a machine with other work it says more than the wall-clock time. Peak memory is the growth of the process's
largest resident size beyond what it held before, the volume and the network not included (Linux). Writes
``results/placenta_step.json`` and ``results/placenta_step.md``.
"""

import argparse
import json
import os
import statistics
import sys
import time
from pathlib import Path
from typing import Any

from engine import environment, peak, reset_peak

SIDES = (96, 240, 256)
THREADS = 2
CROP = (48, 64, 64)
STEPS = {"early": 20, "late": 150}  # of training
REFINEMENT = 3
LIMIT = 0.5  # seconds of topology in a step


def train(network: Any, images: Any, labels: Any, steps: int, seed: int) -> None:
    """By the Dice loss, from random crops, half of which have their middle in the placenta."""
    import numpy as np
    import torch

    random = np.random.default_rng(seed)
    optimiser = torch.optim.AdamW(network.parameters(), lr=3e-3)
    crop = [min(side, most) for side, most in zip(images.shape[2:], CROP, strict=True)]
    inside = [np.argwhere(label.numpy() > 0) for label in labels]
    network.train()
    for step in range(steps):
        k = step % len(images)
        middle = random.choice(inside[k]) if step % 4 < 2 else random.integers(images.shape[2:])
        first = [int(np.clip(m - c // 2, 0, n - c)) for m, c, n in zip(middle, crop, images.shape[2:], strict=True)]
        window = tuple(slice(f, f + c) for f, c in zip(first, crop, strict=True))
        probability = network(images[k][None][(..., *window)]).sigmoid()
        target = labels[k][window].float()[None, None]
        dice = (2 * (probability * target).sum() + 1) / (probability.sum() + target.sum() + 1)
        optimiser.zero_grad()
        (1 - dice).backward()
        optimiser.step()
    network.eval()


def timed(job: Any) -> tuple[float, float]:
    """Wall-clock and processor time."""
    began, used = time.perf_counter(), time.process_time()
    job()
    return time.perf_counter() - began, time.process_time() - used


def measure_loss(probability: Any, **economy: Any) -> dict[str, Any]:
    import topoprior as tp

    values = probability.detach().clone().requires_grad_()
    losses = []

    def step() -> None:
        values.grad = None
        loss = tp.betti_prior_loss(values, tp.BettiPrior(1, 0, 0), economy=tp.Economy(**economy))
        loss.backward()
        losses.append(loss.item())

    before = reset_peak()
    step()
    record = {"peak_bytes": peak() - before, "loss": losses[0]}
    pairs = [timed(step) for _ in range(3)]
    return record | {"seconds": [wall for wall, _ in pairs], "processor_seconds": [used for _, used in pairs]}


def measure_refinement(network: Any, image: Any) -> dict[str, Any]:
    import topoprior as tp

    before = reset_peak()
    results = []

    def refine() -> None:
        results.append(
            tp.refine(
                network,
                image,
                tp.BettiPrior(1, 0, 0),
                weight=0.005,
                activation="sigmoid",
                max_steps=REFINEMENT,
                patience=None,
                learning_rate=1e-4,
            )
        )

    wall, used = timed(refine)
    each = results[0].steps + 1
    record = {"seconds": [wall / each], "processor_seconds": [used / each], "peak_bytes": peak() - before}
    return record | {"steps": results[0].steps, "history": results[0].history}


def rows(sides: tuple[int, ...]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What was measured, and what the maps are like."""
    import torch

    import topoprior as tp
    from topoprior.evaluation.metrics import dice
    from topoprior.experiments.placenta.network import unet
    from topoprior.imaging.networks import normalise

    torch.set_num_threads(THREADS)
    torch.manual_seed(0)
    volumes = tp.phantoms.ultrasound(3, shape=sides, seed=2022)  # type: ignore[arg-type]
    images = normalise(torch.from_numpy(volumes.images), "standard")
    labels = torch.from_numpy(volumes.labels)
    found, maps = {}, {}
    networks = {"half": unet(3, 1, 1), "full": tp.networks.unet(spatial_dims=3)}
    for kind, network in networks.items():
        done = 0
        for stage, steps in STEPS.items():
            name = f"{kind}, {stage}"
            train(network, images[:2], labels[:2], steps - done, seed=steps)
            done = steps
            with torch.no_grad():
                probability = network(images[2:]).sigmoid()
            maps[name] = {
                "training_steps": steps,
                "dice": dice(probability >= 0.5, labels[2:][None]).item(),
                "betti": tp.betti_numbers(probability >= 0.5)[0, 0].tolist(),
                "voxels_above_0.01": int((probability >= 0.01).sum()),
            }
            print(f"{name} map: {maps[name]}", file=sys.stderr, flush=True)
            found[f"{name} map: loss + gradient"] = measure_loss(probability)
            found[f"{name} map: loss + gradient, region=0.01"] = measure_loss(probability, region=0.01)
    for kind, network in networks.items():
        found[f"{kind}: a step of refine in all, U-net and topology"] = measure_refinement(network, images[2:])
    return found, maps


def table(records: dict[str, Any]) -> str:
    lines = ["| | median, s | slowest, s | processor time, s | peak memory, GB |", "|---|---|---|---|---|"]
    for name, record in records.items():
        numbers = [
            statistics.median(record["seconds"]),
            max(record["seconds"]),
            statistics.median(record["processor_seconds"]),
            record["peak_bytes"] / 1e9,
        ]
        lines.append(f"| {name} | " + " | ".join(f"{number:.3f}" for number in numbers) + " |")
    return "\n".join(lines)


def verdict(records: dict[str, Any]) -> str:
    told = []
    for kind in ("half", "full"):
        seconds = statistics.median(records[f"{kind}, late map: loss + gradient"]["seconds"])
        told.append(f"{seconds:.3f} s on the late map of {kind} ({'' if seconds < LIMIT else 'not '}under {LIMIT} s)")
    return f"The topology of a step takes {' and '.join(told)}. The paper's took about 6 s."


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sides", type=int, nargs=3, default=SIDES)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    arguments = parser.parse_args()
    os.environ |= {"OMP_WAIT_POLICY": "PASSIVE", "OMP_NUM_THREADS": str(THREADS)}  # before torch is imported
    sides = tuple(arguments.sides)
    about = environment() | {"command": " ".join(["python benchmarks/placenta_step.py", *sys.argv[1:]]).strip()}
    records, maps = rows(sides)
    content = {"environment": about, "sides": sides, "maps": maps, "results": records}
    assert __doc__ is not None
    head = "\n".join(f"- {key}: {value}" for key, value in {**about, "sides": sides}.items())
    seen = "\n".join(f"- {name} map: {facts}" for name, facts in maps.items())
    text = [__doc__.split("\n\n", 2)[2].strip(), head, seen, verdict(records), table(records)]
    page = "\n\n".join(["# The topology of a refinement step on an ultrasound volume", *text]) + "\n"
    arguments.output.mkdir(parents=True, exist_ok=True)
    for name, words in (("placenta_step.json", json.dumps(content, indent=1)), ("placenta_step.md", page)):
        temporary = arguments.output / f".{name}"
        temporary.write_text(words, encoding="utf-8")
        temporary.replace(arguments.output / name)
    print(verdict(records))


if __name__ == "__main__":
    main()
