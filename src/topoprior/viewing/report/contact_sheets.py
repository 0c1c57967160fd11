"""The page of contact sheets, beside which a table of priors is filled in."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from topoprior.viewing.report.html import Page, data_address

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping, Sequence

    from matplotlib.figure import Figure

_DPI = 90


@dataclass(frozen=True, eq=False)
class Sheet:
    """One stack.

    Attributes:
        name: As the table calls it.
        remark: Such as how many slices it has.
        draw: Draws it, when its turn comes.
    """

    name: str
    remark: str
    draw: Callable[[], Figure]


def write_contact_sheets(
    path: str | os.PathLike[str],
    sheets: Sequence[Sheet],
    *,
    title: str,
    introduction: str,
    configuration: Mapping[str, object],
    advance: Callable[[], None] = lambda: None,
    overwrite: bool = False,
) -> Path:
    """Write one HTML file with a contact sheet for each stack: it needs no other file and makes no request.

    Args:
        path: Where to; appears whole or not at all.
        sheets: At least one.
        title: Of the page.
        introduction: What to do with it.
        configuration: Names and values to print.
        advance: Called after each sheet.
        overwrite: Replace an existing file.

    Returns:
        The path.

    Raises:
        ValueError: If there is no sheet.
        OSError: If the file exists and ``overwrite`` is false, or it cannot be written.
        ImportError: If jinja2 or matplotlib is missing.
    """
    if not sheets:
        raise ValueError("a page of contact sheets needs at least one stack, got none")
    page = Page(Path(path), "contact_sheets.html.j2", overwrite=overwrite)
    drawn = []
    for sheet in sheets:
        drawn.append((sheet, data_address(sheet.draw(), form="webp", dpi=_DPI)))
        advance()
    return page.write(title=title, introduction=introduction, sheets=drawn, configuration=dict(configuration))
