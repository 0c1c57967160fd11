"""Tables of the pages beside the results."""

from typing import Any


def markdown_table(rows: list[dict[str, Any]]) -> str:
    """The names of the first row above the values of all rows."""
    lines = [list(rows[0]), ["---"] * len(rows[0]), *(list(row.values()) for row in rows)]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)
