"""How far a training is, and how good."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from topoprior.cli.output.printed import note
from topoprior.training.loop import Progress as Callback


@contextmanager
def bars() -> Iterator[Callback]:
    """A bar with losses and scores for each phase; where there is no terminal, a line for each look at the scores."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=8),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[values]}"),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as shown:
        tasks: dict[str, TaskID] = {}
        latest: dict[str, dict[str, float]] = {}

        def progress(phase: str, step: int, steps: int, values: dict[str, float]) -> None:
            known = latest.setdefault(phase, {})
            known.update(values)
            if phase not in tasks:
                tasks[phase] = shown.add_task(phase, total=steps, values="")
            shown.update(tasks[phase], completed=step, values=_short(known))
            if not console.is_terminal and any(name.startswith("validation") for name in values):
                note(f"{phase} {step}/{steps}  " + "  ".join(f"{name} {value:.3f}" for name, value in known.items()))

        yield progress


def _short(values: dict[str, float]) -> str:
    """Losses of the training, and Dice and topology of the validation images, for a terminal of 80 columns.

    Examples:
        >>> _short({"validation dice": 0.8125, "validation success": 0.5, "validation topology": 3.0, "labelled": 0.25})
        'labelled 0.25 Dice 0.812 right 50 %'
    """
    losses = [f"{name} {value:.2f}" for name, value in values.items() if not name.startswith("validation")]
    scores = [f"Dice {values['validation dice']:.3f}"] if "validation dice" in values else []
    if "validation success" in values:
        scores.append(f"right {100 * values['validation success']:.0f} %")
    return " ".join([*losses, *scores])
