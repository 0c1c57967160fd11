"""Files that fit one table: those with as many axes as the first."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from topoprior.jobs import Failure

R = TypeVar("R")


def alike(
    results: Mapping[str, R], failures: Sequence[Failure], *, axes: Callable[[R], int]
) -> tuple[dict[str, R], list[Failure]]:
    """The results that fit together, and the failures, to which the others are added.

    Args:
        results: By the names of the files.
        failures: So far.
        axes: Gives the number of spatial axes of a file from its result.

    Examples:
        >>> alike({"a.png": 2, "b.nii": 3}, [], axes=lambda number: number)
        ({'a.png': 2}, [Failure(name='b.nii', error='it has 3 axes where a.png has 2')])
    """
    counts = {name: axes(each) for name, each in results.items()}
    first, expected = next(iter(counts.items()), ("", 0))
    odd = {name: count for name, count in counts.items() if count != expected}
    added = [Failure(name, f"it has {count} axes where {first} has {expected}") for name, count in odd.items()]
    return {name: each for name, each in results.items() if name not in odd}, [*failures, *added]
