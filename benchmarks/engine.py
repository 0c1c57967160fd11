"""The engine against named peers: the same inputs in one run, time and peak memory.

    python benchmarks/engine.py                         # all of it: about twenty minutes on two quiet cores
    python benchmarks/engine.py --only 512 --rounds 3   # inputs whose name contains "512"

Every contestant runs in a process of its own, so that peak memory is its own, but all contestants on one input run one
after the other before the next input begins. A process imports its library and runs it on a tiny input, makes the
input (from a seed), runs once to warm up, then several times (once is enough where it takes long); the table quotes
the median. Peak memory is the growth of the process's largest resident size in the first run beyond what it held
before, the result included (Linux).

What is timed is the library's own public call on the array type it takes; conversions are made before. "Engine" is the
core alone (pixel indices of all bars), "persistence" the public function (births and deaths read as tensors), "loss +
gradient" the loss with ``backward()``. torch's idle threads spin for milliseconds after each of its parallel loops and
take a processor from everybody else; "passive" rows run with ``OMP_WAIT_POLICY=PASSIVE``, which lets them sleep.
Writes ``results/engine.json`` (everything) and ``results/engine.md`` (the tables).
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Job = Callable[[], object]

SHAPES: dict[str, tuple[int, ...]] = {
    "100 x 80x80": (100, 80, 80),
    "512x512": (1, 512, 512),
    "1024x1024": (1, 1024, 1024),
    "4096x4096": (1, 4096, 4096),
    "64^3": (1, 64, 64, 64),
    "128^3": (1, 128, 128, 128),
    "96x240x256": (1, 96, 240, 256),
}
KINDS_2D = ("network-like", "noise")
KINDS_3D = ("network-like", "quantised", "noise")
LONG = 5.0  # seconds; one run is enough beyond this
HOPELESS = 120.0  # seconds; a contestant that takes longer is stopped, and the row says so


def make(shape: tuple[int, ...], kind: str, seed: int = 2022) -> Array:
    """Images of shape ``(images, *spatial)``, float32 in [0, 1].

    Network-like: a Gaussian random field, smooth over 6 pixels, as logits of standard deviation 4 with white noise of
    0.1, through a sigmoid; 2 bars per 100 pixels in 2-D. Quantised: the same, rounded to multiples of 1/255. Noise:
    uniform, independent. U-net: the file given with --maps.
    """
    from scipy.ndimage import gaussian_filter

    generator = np.random.default_rng(seed)
    if kind == "noise":
        return generator.random(shape, dtype=np.float32)
    images = []
    for _ in range(shape[0]):
        field = gaussian_filter(generator.standard_normal(shape[1:], dtype=np.float32), 6)
        field *= 4 / field.std()
        field += 0.1 * generator.standard_normal(shape[1:], dtype=np.float32)
        images.append(1 / (1 + np.exp(-field)))
    stack = np.stack(images).astype(np.float32)
    return np.round(stack * 255).astype(np.float32) / np.float32(255) if kind == "quantised" else stack


# ------------------------------------------------------------------------------------------------- contestants


def topoprior_engine(images: Array, construction: str, threads: int) -> Job:
    """The core by itself: an array in, the pixel indices of all bars out."""
    from topoprior._core import persistence_pairs

    dimensions = (1 << images.ndim - 1) - 1
    return lambda: persistence_pairs(images, construction, "background", dimensions, threads)  # type: ignore[arg-type]


def topoprior_persistence(images: Array, construction: str, threads: int) -> Job:
    import torch

    import topoprior as tp

    torch.set_num_threads(threads)
    tensor = torch.from_numpy(images[:, None])
    return lambda: tp.persistence(tensor, construction=construction)  # type: ignore[arg-type]


def topoprior_loss(images: Array, construction: str, threads: int) -> Job:
    import torch

    import topoprior as tp

    torch.set_num_threads(threads)
    tensor = torch.from_numpy(images[:, None]).requires_grad_()
    prior = tp.BettiPrior(*(1,) * (images.ndim - 1))

    def job() -> object:
        tensor.grad = None
        tp.betti_prior_loss(tensor, prior, construction=construction).backward()  # type: ignore[arg-type]
        return tensor.grad

    return job


def gudhi_sklearn(images: Array) -> Job:
    """GUDHI's fast 2-D code for rectangles; values only, no pixel indices."""
    from gudhi.sklearn import CubicalPersistence

    transformer = CubicalPersistence(homology_dimensions=list(range(images.ndim - 1)), min_persistence=0)
    stack = [-image.astype(np.float64) for image in images]
    return lambda: transformer.fit_transform(stack)


def gudhi_complex(images: Array, construction: str) -> Job:
    import gudhi

    name = "top_dimensional_cells" if construction == "T" else "vertices"
    stack = [-image.astype(np.float64) for image in images]

    def job() -> object:
        pairs = []
        for image in stack:
            complex_ = gudhi.CubicalComplex(**{name: image})
            complex_.compute_persistence(min_persistence=0)
            locate = (
                complex_.cofaces_of_persistence_pairs if construction == "T" else complex_.vertices_of_persistence_pairs
            )
            pairs.append(locate())
        return pairs

    return job


def cripser(images: Array, construction: str, threads: int) -> Job:
    from cripser import compute_ph

    stack = [-image.astype(np.float64) for image in images]
    top = images.ndim - 2
    return lambda: [compute_ph(image, filtration=construction, maxdim=top, n_threads=threads) for image in stack]


def oineus_forward_backward(images: Array) -> Job:
    """Cubical persistence and the sum of squared lengths, differentiated."""
    import oineus.diff
    import torch

    tensors = [torch.from_numpy(image.astype(np.float64)).requires_grad_() for image in images]

    def job() -> object:
        for tensor in tensors:
            tensor.grad = None
            filtration = oineus.diff.cube_filtration(tensor, negate=True)
            diagrams = oineus.diff.persistence_diagram(filtration, include_inf_points=False)
            lengths = [diagrams[k] for k in range(tensor.ndim)]
            torch.stack([((d[:, 0] - d[:, 1]) ** 2).sum() for d in lengths]).sum().backward()
        return tensors

    return job


PASSIVE = ", passive"  # torch's idle threads sleep instead of spinning: OMP_WAIT_POLICY=PASSIVE
CONTESTANTS: dict[str, Callable[[Array], Job]] = {
    "topoprior engine T, 2 threads": lambda images: topoprior_engine(images, "T", 2),
    "topoprior engine V, 2 threads": lambda images: topoprior_engine(images, "V", 2),
    "topoprior engine T, 1 thread": lambda images: topoprior_engine(images, "T", 1),
    "topoprior persistence T, 2 threads": lambda images: topoprior_persistence(images, "T", 2),
    "topoprior loss + gradient T, 2 threads": lambda images: topoprior_loss(images, "T", 2),
    "topoprior loss + gradient T, 1 thread": lambda images: topoprior_loss(images, "T", 1),
    "topoprior persistence T, 2 threads" + PASSIVE: lambda images: topoprior_persistence(images, "T", 2),
    "topoprior loss + gradient T, 2 threads" + PASSIVE: lambda images: topoprior_loss(images, "T", 2),
    "GUDHI sklearn T (values only)": gudhi_sklearn,
    **{f"GUDHI CubicalComplex {c}": lambda images, c=c: gudhi_complex(images, c) for c in "TV"},
    **{
        f"cripser {c}, {t} thread{'s' * (t > 1)}": lambda images, c=c, t=t: cripser(images, c, t)
        for t in (1, 2)
        for c in "TV"
    },
    "Oineus V + gradient": oineus_forward_backward,
}
OURS = "topoprior engine T, 2 threads"
OUR_LOSS = "topoprior loss + gradient T, 2 threads"


def enters(name: str, shape: tuple[int, ...]) -> bool:
    """Whether a contestant is asked to take part: what is known to take minutes or to exhaust memory is not."""
    pixels = int(np.prod(shape))
    if name.startswith("GUDHI CubicalComplex"):
        return pixels <= 3_000_000
    if name.startswith("Oineus"):
        return pixels <= 1_100_000
    if name.startswith("GUDHI sklearn"):
        return len(shape) == 3  # in 3-D it is `CubicalComplex`
    if name.startswith("cripser"):
        return pixels <= 8_000_000
    return True


# ------------------------------------------------------------------------------------------------- measuring


def measure(name: str, shape: tuple[int, ...], kind: str, rounds: int, maps: Path | None) -> dict[str, Any]:
    """Run one contestant in this process."""
    CONTESTANTS[name](make((1, *(8,) * (len(shape) - 1)), "noise"))()  # what a library sets up once is not counted
    images = make(shape, kind) if maps is None else np.load(maps)
    job = CONTESTANTS[name](images)
    before = reset_peak()
    seconds = [once(job)]
    memory = peak() - before
    if seconds[0] < LONG:
        target = max(rounds, min(9, int(2 / seconds[0])))
        seconds = [once(job) for _ in range(target)]
    return {"seconds": seconds, "peak_bytes": memory}


def reset_peak() -> int:
    """Forget how large the process has been (Linux); bytes it holds now."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return status("VmRSS")


def peak() -> int:
    return status("VmHWM")


def status(field: str) -> int:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field + ":"))


def once(job: Job) -> float:
    begin = time.perf_counter()
    job()
    return time.perf_counter() - begin


def in_process(name: str, shape_name: str, kind: str, rounds: int, maps: Path | None = None) -> dict[str, Any]:
    command = [sys.executable, __file__, "--worker", name, shape_name, kind, "--rounds", str(rounds)]
    if maps is not None:
        command += ["--maps", str(maps)]
    try:
        settings = os.environ | ({"OMP_WAIT_POLICY": "PASSIVE"} if name.endswith(PASSIVE) else {})
        done = subprocess.run(command, capture_output=True, text=True, timeout=HOPELESS, check=False, env=settings)
    except subprocess.TimeoutExpired:
        return {"error": f"stopped after {HOPELESS:.0f} s"}
    if done.returncode != 0:
        return {"error": (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]}
    return json.loads(done.stdout.splitlines()[-1])


# ------------------------------------------------------------------------------------------------- reporting


def table(input_name: str, records: dict[str, dict[str, Any]], pixels: int) -> str:
    ours = statistics.median(records[OURS]["seconds"]) if "seconds" in records.get(OURS, {}) else None
    lines = [
        f"### {input_name}",
        "",
        "| | median, ms | fastest, ms | slowest, ms | time / ours | peak memory, MB | bytes per pixel |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, record in records.items():
        if "error" in record:
            lines.append(f"| {name} | {record['error']} | | | | | |")
            continue
        seconds = record["seconds"]
        median = statistics.median(seconds)
        ratio = f"{median / ours:.2f}" if ours else ""
        peak = record["peak_bytes"]
        numbers = f"{median * 1e3:.2f} | {min(seconds) * 1e3:.2f} | {max(seconds) * 1e3:.2f}"
        lines.append(f"| {name} | {numbers} | {ratio} | {peak / 1e6:.1f} | {peak / pixels:.1f} |")
    return "\n".join(lines)


def summary(results: dict[str, Any]) -> str:
    """One line per input: times as multiples of the engine's (T, 2 threads); of each peer the best row counts."""
    columns = [
        "input",
        "engine T / V, ms",
        "GUDHI sklearn",
        "cripser, best",
        "GUDHI CubicalComplex, best",
        "persistence / engine",
        "loss + gradient / engine",
        "the same, 1 thread",
        "the same, 2 threads, passive",
        "Oineus + gradient / our loss + gradient",
        "our memory, bytes per pixel",
    ]
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    for name, result in results.items():
        medians = {
            contestant: statistics.median(record["seconds"])
            for contestant, record in result["contestants"].items()
            if "seconds" in record
        }

        def fastest(start: str, medians: dict[str, float] = medians) -> float | None:
            return min((m for contestant, m in medians.items() if contestant.startswith(start)), default=None)

        if OURS not in medians:
            continue
        ours, loss = medians[OURS], medians.get(OUR_LOSS)
        alone = medians.get("topoprior engine T, 1 thread")
        cells = [f"{ours * 1e3:.2f} / {medians.get(OURS.replace(' T,', ' V,'), float('nan')) * 1e3:.2f}"]
        cells += [times(fastest(peer), ours) for peer in ("GUDHI sklearn", "cripser", "GUDHI CubicalComplex")]
        cells += [times(medians.get("topoprior persistence T, 2 threads"), ours), times(loss, ours)]
        cells += [times(medians.get("topoprior loss + gradient T, 1 thread"), alone)]
        cells += [times(medians.get(OUR_LOSS + PASSIVE), ours), times(fastest("Oineus"), loss)]
        cells += [f"{result['contestants'][OURS]['peak_bytes'] / result['pixels']:.1f}"]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def times(theirs: float | None, ours: float | None) -> str:
    return f"{theirs / ours:.2f}" if theirs and ours else ""


def environment() -> dict[str, Any]:
    names = ("topoprior", "torch", "numpy", "gudhi", "cripser", "oineus")
    versions = {}
    for name in names:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = "not installed"
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "processor": processor(),
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
        "python": platform.python_version(),
        "versions": versions,
        "commit": commit.stdout.strip(),
        "command": "python benchmarks/engine.py " + " ".join(sys.argv[1:]),
    }


def processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.processor())


def write(folder: Path, about: dict[str, Any], results: dict[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"environment": about, "results": results}, indent=1)
    head = "\n".join(f"- {key}: {value}" for key, value in about.items())
    tables = [table(name, records["contestants"], records["pixels"]) for name, records in results.items()]
    page = (
        "\n\n".join(
            ["# The engine and its peers", __doc__.split("\n\n", 2)[2].strip(), head, summary(results), *tables]
        )
        + "\n"
    )
    for name, content in (("engine.json", text), ("engine.md", page)):
        temporary = folder / f".{name}"
        temporary.write_text(content, encoding="utf-8")
        temporary.replace(folder / name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="inputs whose name contains this")
    parser.add_argument("--contestants", default="", help="contestants whose name contains this")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--maps", type=Path, help="NPY file of network outputs, float32, shape (100, 80, 80), as one more input"
    )
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    parser.add_argument("--worker", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        name, shape_name, kind = arguments.worker
        print(json.dumps(measure(name, SHAPES[shape_name], kind, arguments.rounds, arguments.maps)))
        return
    about = environment()
    results: dict[str, Any] = {}
    inputs = [(shape, kind) for shape in SHAPES for kind in (KINDS_2D if len(SHAPES[shape]) == 3 else KINDS_3D)]
    if arguments.maps is not None:
        inputs.insert(0, ("100 x 80x80", "U-net"))
    for shape_name, kind in inputs:
        input_name, shape = f"{shape_name}, {kind}", SHAPES[shape_name]
        if arguments.only not in input_name:
            continue
        records = {}
        for name in CONTESTANTS:
            if arguments.contestants not in name or not enters(name, shape):
                continue
            maps = arguments.maps if kind == "U-net" else None
            records[name] = in_process(name, shape_name, kind, arguments.rounds, maps)
            print(f"{input_name}: {name}: {brief(records[name])}", file=sys.stderr, flush=True)
        results[input_name] = {"pixels": int(np.prod(shape)), "contestants": records}
        write(arguments.output, about, results)


def brief(record: dict[str, Any]) -> str:
    if "error" in record:
        return str(record["error"])
    return f"{statistics.median(record['seconds']) * 1e3:.2f} ms, {record['peak_bytes'] / 1e6:.1f} MB"


if __name__ == "__main__":
    main()
