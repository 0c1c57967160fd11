"""What may be a slip, seen from the scores of all pairs together."""

from topoprior.cli.evaluate.scorer import Scored
from topoprior.cli.output.printed import note


def unit_of(scored: dict[str, Scored]) -> str:
    """Of the distances."""
    known = {each.in_mm for each in scored.values()}
    return "mm or pixels" if len(known) == 2 else "mm" if known == {True} else "pixels"


def remark(scored: dict[str, Scored]) -> None:
    """Tell what may be a slip."""
    apart = sum(not each.same_grid for each in scored.values())
    if apart:
        note(f"note: {apart} of {len(scored)} predictions lie elsewhere than their labels; compared pixel by pixel")
    if unit_of(scored) == "mm or pixels":
        note("note: some labels do not tell the size of their pixels; their distances are in pixels")
    rows = [row for each in scored.values() for row in each.rows]
    for name in dict.fromkeys(row["class"] for row in rows):
        members = [row for row in rows if row["class"] == name]
        if not any(row["target_pixels"] for row in members):
            note(f"note: no label holds the class {name}")
        elif not any(row["pixels"] for row in members):
            values = sorted({value for each in scored.values() for value in each.stray})
            hint = f", they hold {', '.join(map(str, values))}: see --predicted-label" if values else ""
            note(f"note: no prediction holds the class {name}{hint}")
