"""The page about an experiment of the paper: its tables beside ours, figures, and what is different or missing."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from topoprior.viewing.report.html import Page, data_address
from topoprior.viewing.report.provenance import commit
from topoprior.viewing.report.volume import Volume

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence, Set

    from matplotlib.figure import Figure as Drawing

_FORMS = {b"\x89PNG": "png", b"RIFF": "webp", b"\xff\xd8\xff": "jpeg", b"GIF8": "gif", b"<svg": "svg+xml"}
_NUMERIC = "-+±<>≤≥~≈0123456789\N{MINUS SIGN}\N{EN DASH}"


@dataclass(frozen=True)
class Table:
    """A table; its first column names the rows.

    Args:
        caption: What it tells, in a sentence; above it.
        header: The names of the columns.
        rows: As many texts each as there are names.
        note: A remark below it.
        emphasised: Places ``(row, column)``, from 0, in bold type.

    Raises:
        ValueError: If a row has not as many texts as there are columns, or a place is not in the table.

    Examples:
        >>> table = Table("Wrong digits", ["m", "paper", "ours"], [["2", "11.0 %", "10.8 %"]])
        >>> table.records()
        [{'m': '2', 'paper': '11.0 %', 'ours': '10.8 %'}]
    """

    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""
    emphasised: Set[tuple[int, int]] = frozenset()

    def __post_init__(self) -> None:
        for number, row in enumerate(self.rows):
            if len(row) != len(self.header):
                raise ValueError(
                    f"each row of {self.caption!r} must have {len(self.header)} texts, row {number} has {len(row)}"
                )
        for place in self.emphasised:
            if not (0 <= place[0] < len(self.rows) and 0 <= place[1] < len(self.header)):
                raise ValueError(f"emphasised must be places in {self.caption!r}, got {place}")

    @property
    def words(self) -> Set[int]:
        """The columns that hold words; numbers are set right."""
        return {
            column
            for column in range(len(self.header))
            if any(row[column].strip() and row[column].strip()[0] not in _NUMERIC for row in self.rows)
        }

    def records(self) -> list[dict[str, str]]:
        """Its rows as mappings from name to text, as commands print them and JSON keeps them."""
        return [dict(zip(self.header, row, strict=True)) for row in self.rows]


@dataclass(frozen=True, eq=False)
class Figure:
    """A picture.

    Args:
        caption: Below it.
        image: Drawn with Matplotlib; or the bytes or the path of a PNG, WebP, JPEG, GIF or SVG.
        alt: What it shows, for those who cannot see it.

    Raises:
        ValueError: If there is no ``alt``.
    """

    caption: str
    image: Drawing | bytes | Path
    alt: str

    def __post_init__(self) -> None:
        if not self.alt.strip():
            raise ValueError(f"alt must say what the figure {self.caption!r} shows, got nothing")

    def address(self) -> str:
        """The picture itself as an address.

        Raises:
            ValueError: If it is none.
            OSError: If it cannot be read.
        """
        image = self.image.read_bytes() if isinstance(self.image, Path) else self.image
        if not isinstance(image, bytes):
            return data_address(image)
        form = next((form for head, form in _FORMS.items() if image.startswith(head)), None)
        if form is None:
            raise ValueError(f"the figure {self.caption!r} must be PNG, WebP, JPEG, GIF or SVG, got {image[:8]!r}")
        return f"data:image/{form};base64," + base64.b64encode(image).decode("ascii")


@dataclass(frozen=True, eq=False)
class Section:
    """A part of the page.

    Args:
        title: Its heading.
        text: Plain text; an empty line begins a new paragraph.
        parts: Tables, figures and volumes below it, in this order.
    """

    title: str
    text: str = ""
    parts: Sequence[Table | Figure | Volume] = field(default=())

    @property
    def paragraphs(self) -> list[str]:
        """Of the text."""
        return [" ".join(paragraph.split()) for paragraph in self.text.split("\n\n") if paragraph.strip()]


def write_experiment_report(
    path: str | os.PathLike[str],
    *,
    title: str,
    introduction: str,
    sections: Sequence[Section],
    deviations: Sequence[str],
    missing: Sequence[str],
    configuration: Mapping[str, Any],
    command: str | None,
    overwrite: bool = False,
) -> Path:
    """Write one HTML file about an experiment of the paper: it needs no other file and makes no request.

    Environment and commit are added by themselves.

    Args:
        path: Where to; appears whole or not at all.
        title: Of the page.
        introduction: What was done, a paragraph of plain text.
        sections: Tables and figures, the most important first.
        deviations: What was done otherwise than in the paper, a sentence each.
        missing: What is not there, such as cells that were not computed; said at the top.
        configuration: Names and values to print, so that the run can be repeated.
        command: The command line that made it, if one did.
        overwrite: Replace an existing file.

    Returns:
        The path.

    Raises:
        ValueError: If there is no section, or a figure is no picture.
        OSError: If the file exists and ``overwrite`` is false, it cannot be written, or a picture cannot be read.
        ImportError: If jinja2 or matplotlib is missing.
    """
    if not sections:
        raise ValueError("a report needs at least one section, got none")
    page = Page(Path(path), "experiment.html.j2", overwrite=overwrite)
    return page.write(
        title=title,
        introduction=introduction,
        sections=[_shown(section) for section in sections],
        turnable=any(isinstance(part, Volume) for section in sections for part in section.parts),
        deviations=deviations,
        missing=missing,
        configuration={**configuration, "commit": commit() or "unknown"},
        command=command,
    )


def _shown(section: Section) -> dict[str, Any]:
    """What the template needs of it; its figures are drawn."""
    parts = [_part(part) for part in section.parts]
    return {"title": section.title, "paragraphs": section.paragraphs, "parts": parts}


def _part(part: Table | Figure | Volume) -> dict[str, Any]:
    if isinstance(part, Figure):
        return {"kind": "figure", "part": part, "address": part.address()}
    if isinstance(part, Volume):
        return {"kind": "volume", "part": part, "content": part.content()}
    return {"kind": "table", "part": part}
