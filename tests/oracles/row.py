"""One bar as a plain tuple, and the bars of our diagrams in that form: oracles are compared by whole rows."""

from typing import NamedTuple


class Row(NamedTuple):
    """Indices are flat, C order; -1 for the outside's birth and for the end of the essential bar."""

    dimension: int
    birth: float
    death: float
    birth_index: int
    death_index: int


def rows_of(diagrams, image=0):
    """Sorted rows of one image of `topoprior.PersistenceDiagrams`."""
    chosen = diagrams.select(image=image)
    columns = (chosen.dimension, chosen.births, chosen.deaths, chosen.birth_index, chosen.death_index)
    return sorted(Row(*row) for row in zip(*(column.tolist() for column in columns), strict=True))


def bars(rows):
    """Multiset of (dimension, birth, death), to be compared where another library breaks ties in its own way."""
    return sorted(row[:3] for row in rows)
