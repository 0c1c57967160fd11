"""The tables of the MNIST experiment."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from topoprior.experiments.mnist.paper import CLEAN, SIGNIFICANT, TABLE_1
from topoprior.experiments.mnist.variants import LEAKS, PRIOR_OF, TITLES
from topoprior.viewing.report.experiment import Table

if TYPE_CHECKING:
    from collections.abc import Mapping


def table_1(results: Mapping[str, Any]) -> Table:
    """The paper's Table 1, ours beside it."""
    rows, bold = [], set()
    for number, row in enumerate(results["lines"]):
        alone, ours = row["variants"]["denoised"], row["variants"]["prior"]
        paper = TABLE_1.get(row["lines"])
        starred = "*" if row["lines"] in SIGNIFICANT else ""
        rows.append([
            str(row["lines"]),
            _percent(alone["accuracy"]),
            _percent(ours["accuracy"]),
            _points(ours["accuracy"] - alone["accuracy"]),
            p_text(ours["accuracy_p"]),
            "-" if paper is None else f"{paper[0]} → {paper[1]}{starred}",
            f"{alone['error']:.4f}",
            f"{ours['error']:.4f}",
            p_text(ours["error_p"]),
            "-" if paper is None else f"{paper[2]:.3f} → {paper[3]:.3f}",
            _percent(alone["true_topology"]),
            _percent(ours["true_topology"]),
        ])  # fmt: skip
        if ours["accuracy_p"] < 0.05:
            bold.add((number, 3))
        if ours["error_p"] < 0.05:
            bold.add((number, 7))
    return Table(
        "Digits read right and mean squared error, denoiser alone and after refinement with the prior of the digit, "
        "beside Table 1 of the paper.",
        [
            "lines m",
            "read right %",
            "read right with prior %",
            "gain, points",
            "p McNemar",
            "the paper: read right %",
            "MSE",
            "MSE with prior",
            "p Wilcoxon",
            "the paper: MSE",
            "topology right %",
            "topology right with prior %",
        ],
        rows,
        note="Bold: p < 0.05, not corrected for the number of tests, as in the paper; * significant in the paper. The "
        "paper's .037 at m = 8 breaks its own column and contradicts its text; .027 may be meant.",
        emphasised=bold,
    )


def controls_table(results: Mapping[str, Any]) -> Table:
    """Every variant: digits read right, and the gain."""
    variants = [name for name in TITLES if any(name in row["variants"] for row in results["lines"])]
    rows, bold = [], set()
    for number, name in enumerate(variants):
        cells = []
        for column, row in enumerate(results["lines"], start=2):
            score = row["variants"].get(name)
            if score is None:
                cells.append("-")
                continue
            gain = score["accuracy"] - row["variants"]["denoised"]["accuracy"]
            cells.append(_percent(score["accuracy"]) + ("" if name == "denoised" else f" ({_points(gain)})"))
            if name != "denoised" and score["accuracy_p"] < 0.05:
                bold.add((number, column))
        rows.append([TITLES[name], "yes" if name in LEAKS else "no", *cells])
    return Table(
        "Digits read right in per cent, and the gain over the denoiser alone in points, by who is given which prior.",
        ["what the refinement is given", "knows of the label", *(f"m = {row['lines']}" for row in results["lines"])],
        rows,
        note="Bold: differs from the denoiser alone, exact McNemar, p < 0.05, not corrected for the number of tests. "
        "A shuffled prior is right by chance for about half of the digits.",
        emphasised=bold,
    )


def error_table(results: Mapping[str, Any]) -> Table:
    """Every variant: mean squared error, and topology."""
    variants = [name for name in TITLES if any(name in row["variants"] for row in results["lines"]) and name != "told"]
    rows = []
    for name in variants:
        cells = []
        for row in results["lines"]:
            score = row["variants"].get(name)
            if score is None:
                cells.append("-")
            else:
                asked = "" if score["asked_topology"] is None else f" / {_percent(score['asked_topology'])}"
                cells.append(f"{score['error']:.4f}; {_percent(score['true_topology'])}{asked}")
        rows.append([TITLES[name], *cells])
    return Table(
        "Mean squared error; then digits in per cent that have the topology of the true digit / of what was asked.",
        ["what the refinement is given", *(f"m = {row['lines']}" for row in results["lines"])],
        rows,
    )


def ceiling_table(results: Mapping[str, Any]) -> Table:
    """How many clean digits satisfy the priors."""
    clean = results["clean"]
    named = [(f"{digit}", shares) for digit, shares in clean["by_digit"].items()]
    rows = []
    for name, shares in [*named, ("all", clean)]:
        digit = PRIOR_OF[int(name)] if name != "all" else None
        wide = results["ranges"][name] if digit is not None else ""
        rows.append([
            name,
            str(shares["digits"]),
            "" if digit is None else f"({digit})",
            _percent(shares["T"]),
            _percent(shares["V"]),
            f"({wide})" if digit is not None and wide != str(digit) else "",
            _percent(shares["range"]),
            _percent(shares["accuracy"]),
        ])  # fmt: skip
    return Table(
        "The ceiling: clean test digits that satisfy their prior at 0.5, and that the classifier reads right.",
        [
            "digit",
            "number",
            "prior",
            "satisfied, T %",
            "satisfied, V %",
            "range prior",
            "satisfied, T %",
            "read right %",
        ],
        rows,
        note=f"T: pixels connect through corners, as in the loss; V: through faces. The paper's classifier reads "
        f"{CLEAN} % of clean digits right.",
    )


def digit_table(results: Mapping[str, Any]) -> Table:
    """Digits read right, digit by digit."""
    digits = list(results["clean"]["by_digit"])
    rows = []
    for digit in digits:
        cells = []
        for row in results["lines"]:
            alone, ours = (row["variants"][name]["by_digit"][digit] for name in ("denoised", "prior"))
            cells.append(f"{100 * alone:.0f} → {100 * ours:.0f}")
        rows.append([digit, f"({PRIOR_OF[int(digit)]})", *cells])
    return Table(
        "Read right in per cent, by digit: denoiser alone → with the prior of the digit.",
        ["digit", "prior", *(f"m = {row['lines']}" for row in results["lines"])],
        rows,
    )


def p_text(p: float) -> str:
    """A p-value as tables show it.

    Examples:
        >>> p_text(0.04321), p_text(3e-7)
        ('0.043', '< 0.0001')
    """
    if math.isnan(p):
        return "-"
    return "< 0.0001" if p < 1e-4 else f"{p:.2g}" if p < 0.1 else f"{p:.2f}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"


def _points(difference: float) -> str:
    return f"{100 * difference:+.1f}"
