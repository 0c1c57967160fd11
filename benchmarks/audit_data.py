"""Which topology do the labels of public data have, and which prior fits them? MNIST, ACDC and hippocampus.

    python benchmarks/audit_data.py --mnist mnist --acdc acdc/training --hippocampus Task04_Hippocampus/labelsTr

``--mnist`` is a folder with the publisher's four files, of which the 10,000 test digits are read: a pixel is foreground
from 0.5 of 255 on, and the digit is the class. ``--acdc`` is a folder of ``patientNNN`` folders as the challenge ships
them (Bernard et al., IEEE TMI 37(11), 2018): every slice of both frames. ``--hippocampus`` holds the label volumes of
the Medical Segmentation Decathlon, Task 04 (Antonelli et al., Nature Communications, 2022): label 1, label 2 and their
union. Each may be left out. The numbers are those of ``topoprior audit --json``.

Writes ``results/audit.md`` (the tables) and ``results/audit.json`` (all counts, and the names of labels that break a
prior).
"""

import argparse
import contextlib
import datetime as dt
import gzip
import io
import json
import os
import platform
import subprocess
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from topoprior.cli import run

DIGITS = {digit: "1,1" if digit in (0, 6, 9) else "1,2" if digit == 8 else "1,0" for digit in range(10)}
HEART = {"RV": "1,0", "MYO": "1,1", "LV": "1,0", "RV+MYO": "1,1", "RV+LV": "2,0", "MYO+LV": "1,0"}
SETTINGS = {
    "T": "T_background",
    "T, outside foreground": "T_foreground",
    "V": "V_background",
    "V, outside foreground": "V_foreground",
}
FREQUENT = 4  # Betti numbers named in a table; the JSON file has all


def audited(*arguments: str) -> dict[str, Any]:
    """What the command prints."""
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        status = run(["audit", *arguments, "--json"])
    if status:
        raise SystemExit(status)
    return json.loads(printed.getvalue())


def mnist(folder: Path) -> dict[str, Any]:
    """The digits as one stack of label maps, the digit as the class."""
    images, digits = (idx(folder / f"t10k-{name}-ubyte.gz") for name in ("images-idx3", "labels-idx1"))
    with tempfile.TemporaryDirectory() as place:
        stack = Path(place) / "digits.npy"
        np.save(stack, np.where(images >= 0.5 * 255, digits[:, None, None] + 1, 0).astype(np.uint8))
        classes = [f"{digit}={digit + 1}" for digit in DIGITS]
        priors = [f"{digit}={prior}" for digit, prior in DIGITS.items()]
        found = audited(str(stack), "--slices", "0", "--unions", "1", "--classes", *classes, "--prior", *priors)
    return short(found, f"{place}/")


def idx(path: Path) -> np.ndarray[Any, Any]:
    """An array in MNIST's own format."""
    content = gzip.decompress(path.read_bytes())
    shape = np.frombuffer(content, ">i4", count=content[3], offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * len(shape)).reshape(shape)


def acdc(folder: Path) -> dict[str, Any]:
    """Every slice with its three classes."""
    priors = [f"{name}={prior}" for name, prior in HEART.items()]
    labels = str(folder / "patient*" / "*_gt.nii.gz")
    return short(
        audited(labels, "--slices", "2", "--classes", "RV=1", "MYO=2", "LV=3", "--prior", *priors), f"{folder}/"
    )


def hippocampus(folder: Path) -> dict[str, Any]:
    """The volumes whole."""
    classes = ("--classes", "anterior=1", "posterior=2")
    return short(audited(str(folder), *classes, "--prior", "1,0,0", "anterior+posterior=1,0,0"), f"{folder}/")


def short(found: dict[str, Any], folder: str) -> dict[str, Any]:
    """Without the place of the data."""
    for each in found["breakers"]:
        each["case"] = each["case"].removeprefix(folder)
    return found


def priors_table(found: dict[str, Any], source: str) -> str:
    """How many labels have each prior, in percent."""
    rows = [row for row in found["priors"] if row["source"] == source]
    lines = [f"| class | prior | labels | {' | '.join(f'{name}, %' for name in SETTINGS)} |", "|---" * 7 + "|"]
    for row in rows:
        shares = " | ".join(f"{100 * row[column] / row['cases']:.1f}" for column in SETTINGS.values())
        name, prior = ("all together", "") if row["class"] == "all" else (row["class"], row["prior"])
        lines.append(f"| {name} | {prior} | {row['cases']} | {shares} |")
    return "\n".join(lines)


def histogram_table(found: dict[str, Any]) -> str:
    """The most frequent Betti numbers, with the number of labels."""
    lines = ["| class | labels | T | V |", "|---|---|---|---|"]
    for name in found["proposed"]:
        rows = [row for row in found["histograms"] if (row["class"], row["boundary"]) == (name, "background")]
        cells = [frequent([row for row in rows if row["construction"] == construction]) for construction in ("T", "V")]
        lines.append(f"| {name} | {rows[0]['cases']} | {' | '.join(cells)} |")
    return "\n".join(lines)


def frequent(rows: list[dict[str, Any]]) -> str:
    """Betti numbers with their counts, the most frequent first."""
    named = [
        f"({','.join(str(row[f'b{k}']) for k in range(3) if f'b{k}' in row)}): {row['count']}"
        for row in rows[:FREQUENT]
    ]
    rest = sum(row["count"] for row in rows[FREQUENT:])
    return ", ".join([*named, *([f"others: {rest}"] if rest else [])])


DATA = {
    "mnist": ("MNIST, 10,000 clean test digits, each with the paper's prior of its digit", mnist),
    "acdc": ("ACDC, slices of {patients} training patients, short-axis heart", acdc),
    "hippocampus": ("Hippocampus, whole volumes", hippocampus),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in DATA:
        parser.add_argument(f"--{name}", type=Path, metavar="DIR")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    arguments = parser.parse_args()
    about = environment()
    sections, found = [], {}
    for name, (title, audit) in DATA.items():
        folder = getattr(arguments, name)
        if folder is None:
            continue
        start = time.perf_counter()
        found[name] = audit(folder)
        seconds = time.perf_counter() - start
        title = title.format(patients=len(list(folder.glob("patient*"))))
        count = found[name]["cases"]
        sections.append(f"""## {title}

Priors that were given; {count} labels, {len(found[name]["breakers"])} of them break one under T. {seconds:.0f} s.

{priors_table(found[name], "given")}

Proposed from these labels, for T with the outside as background: the tightest that 95 % have.

{priors_table(found[name], "proposed")}

Betti numbers and how many labels have them, outside background:

{histogram_table(found[name])}
""")
    page = f"""# The topology of public labels

A union is counted in the labels that hold all its classes, "all together" are the labels that hold any. In the columns
with the outside as foreground the prior has one component more, the outside itself. Made by `topoprior audit`; labels
that break a prior are named in `audit.json`.

{chr(10).join(sections)}
{platform_line(about)}

    python benchmarks/audit_data.py {" ".join(f"--{name} DIR" for name in found)}
"""
    arguments.output.mkdir(parents=True, exist_ok=True)
    (arguments.output / "audit.md").write_text(page, encoding="utf-8")
    content = json.dumps({"environment": about, **{name: lines(each) for name, each in found.items()}}, indent=1)
    (arguments.output / "audit.json").write_text(content + "\n", encoding="utf-8")
    print(page)


def lines(found: dict[str, Any]) -> dict[str, Any]:
    """Counts in full, breakers by name and what they have."""
    breakers = {
        each["case"]: {broken["class"]: ",".join(map(str, broken["betti"])) for broken in each["broken"]}
        for each in found["breakers"]
    }
    histograms: dict[str, dict[str, dict[str, int]]] = {}
    for row in found["histograms"]:
        numbers = ",".join(str(row[f"b{k}"]) for k in range(3) if f"b{k}" in row)
        setting = f"{row['construction']}, outside {row['boundary']}"
        histograms.setdefault(row["class"], {}).setdefault(setting, {})[numbers] = row["count"]
    return {"labels": found["cases"], "priors": found["priors"], "histograms": histograms, "breakers": breakers}


def environment() -> dict[str, str]:
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False, cwd=Path(__file__).parent
    ).stdout.strip()
    return {
        "date": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.machine()}, {os.cpu_count()} processors, shared with other programs",
        "commit": commit,
        "python": platform.python_version(),
        **{package: version(package) for package in ("topoprior", "torch", "numpy")},
    }


def platform_line(about: dict[str, str]) -> str:
    versions = ", ".join(f"{name} {about[name]}" for name in ("python", "topoprior", "torch", "numpy"))
    return f"{about['date']}, {about['machine']}; commit {about['commit']}, {versions}."


if __name__ == "__main__":
    main()
