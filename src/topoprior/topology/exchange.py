"""Diagrams out to the forms of other libraries, and back.

=====================  =======================================================================================
form                   who takes it
=====================  =======================================================================================
arrays                 NumPy; GUDHI's distances and ``gudhi.representations``; with ``essential="infinite"``, and for
                       one image, the list that ripser gives and persim takes
pairs                  GUDHI's ``SimplexTree.persistence()``, ``CubicalComplex.persistence()``, its plots
table                  giotto-tda, scikit-tda: rows of birth, death and dimension
=====================  =======================================================================================

We count super-level sets, ``birth >= death``; those libraries count sub-level sets, ``birth <= death``. The sub-level
sets of ``1 - p`` and of ``-p`` are the super-level sets of ``p``, so ``values`` says in which of the three numbers
births and deaths are told:

=========  ===========================  ==========================
values     birth and death of a bar     bar of the essential class
=========  ===========================  ==========================
``"p"``    birth >= death, as ours      max to 0, or to -infinity
``"1-p"``  birth <= death, in [0, 1]    to 1, or to infinity
``"-p"``   birth <= death, in [-1, 0]   to 0, or to infinity
=========  ===========================  ==========================

**What is lost.** These forms hold births and deaths alone. Diagrams that come back have no pixels (every index is -1),
no gradient, and sides of 0 in their ``shape`` unless it is given. Losses, Betti numbers and barcodes of them are right.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt
import torch

from topoprior.topology.diagram import PersistenceDiagrams
from topoprior.topology.filtration import MAX_SPATIAL_AXES, Boundary, Construction, check_options

Values: TypeAlias = Literal["p", "1-p", "-p"]
Essential: TypeAlias = Literal["finite", "infinite"]
Bars: TypeAlias = npt.NDArray[np.float64]
"""Births and deaths, shape ``(bars, 2)``."""
Pair: TypeAlias = tuple[int, tuple[float, float]]


def to_arrays(
    diagrams: PersistenceDiagrams, *, values: Values = "1-p", essential: Essential = "finite"
) -> list[list[Bars]]:
    """Births and deaths of each image and dimension.

    Args:
        diagrams: Of any number of images.
        values: What births and deaths are told in, see above.
        essential: Where the bar of the component that never dies ends: ``"finite"``, at probability 0, as everywhere
            in this package; ``"infinite"``, as in those libraries.

    Returns:
        For each image (batch times channels), for each dimension, a float64 array of shape ``(bars, 2)``, from the
        longest bar to the shortest.

    Raises:
        ValueError: If an option is unknown.

    Examples:
        >>> from topoprior import persistence
        >>> diagrams = persistence(torch.tensor([[[0.75, 0.25, 0.5]]]))
        >>> to_arrays(diagrams)[0][0]
        array([[0.25, 1.  ],
               [0.5 , 0.75]])
        >>> to_arrays(diagrams, values="p", essential="infinite")[0][0]
        array([[0.75, -inf],
               [0.5 , 0.25]])
    """
    _check_word("values", values, Values)
    _check_word("essential", essential, Essential)
    ends = torch.stack((diagrams.births, diagrams.deaths), 1).detach().cpu().to(torch.float64).numpy()
    dimension, image, rank = (column.cpu().numpy() for column in (diagrams.dimension, diagrams.image, diagrams.rank))
    told = _told(ends, values)
    if essential == "infinite":
        told[(dimension == 0) & (rank == 0) & (ends[:, 1] == 0), 1] = -math.inf if values == "p" else math.inf
    return [
        [told[(image == each) & (dimension == k)] for k in range(diagrams.spatial_axes)]
        for each in range(diagrams.number_of_images)
    ]


def from_arrays(
    arrays: Sequence[Sequence[npt.ArrayLike]],
    *,
    values: Values = "1-p",
    shape: Sequence[int] | None = None,
    construction: Construction = "T",
    boundary: Boundary = "background",
) -> PersistenceDiagrams:
    """Diagrams of births and deaths; the inverse of `to_arrays`, but for what is lost (see above).

    An infinite death, which only a component can have, is closed at probability 0. Bars of length zero are left out,
    except the longest component of each image.

    Args:
        arrays: For each image, for each dimension, births and deaths of shape ``(bars, 2)`` in any order; the number of
            dimensions is the number of spatial axes.
        values: What they are told in.
        shape: Of the images, ``(batch, channel, *spatial)``; by default one channel, and sides of 0 for "not known".
        construction: Of what they were computed with; nothing in the numbers tells.
        boundary: The same.

    Raises:
        ValueError: If a birth and death are no probabilities in the right order, the forms do not fit together, or an
            option is unknown.

    Examples:
        >>> diagrams = from_arrays([[[[0.25, float("inf")], [0.5, 0.75]], []]])
        >>> diagrams.births, diagrams.deaths
        (tensor([0.7500, 0.5000], dtype=torch.float64), tensor([0.0000, 0.2500], dtype=torch.float64))
        >>> diagrams.betti_numbers(0.5)
        tensor([[[2, 0]]])
    """
    _check_word("values", values, Values)
    check_options(construction, boundary)
    axes = {len(image) for image in arrays}
    if len(axes) != 1 or not 1 <= min(axes) <= MAX_SPATIAL_AXES:
        raise ValueError(f"each image must have 1 to 3 arrays, one for each dimension, all as many, got {sorted(axes)}")
    groups = [
        (number, k, _bars(bars, values, k)) for number, image in enumerate(arrays) for k, bars in enumerate(image)
    ]
    sizes = torch.tensor([len(bars) for _, _, bars in groups])
    ends = torch.from_numpy(np.concatenate([bars for _, _, bars in groups]))
    nowhere = torch.full((len(ends),), -1)
    return PersistenceDiagrams(
        births=ends[:, 0],
        deaths=ends[:, 1],
        dimension=torch.tensor([k for _, k, _ in groups]).repeat_interleave(sizes),
        image=torch.tensor([number for number, _, _ in groups]).repeat_interleave(sizes),
        rank=torch.cat([torch.arange(len(bars)) for _, _, bars in groups]),
        birth_index=nowhere,
        death_index=nowhere.clone(),
        shape=_checked_shape(shape, len(arrays), len(arrays[0])),
        dimensions=tuple(range(len(arrays[0]))),
        construction=construction,
        boundary=boundary,
    )


def to_pairs(
    diagrams: PersistenceDiagrams, *, image: int = 0, values: Values = "1-p", essential: Essential = "infinite"
) -> list[Pair]:
    """The bars of one image as GUDHI lists them, ``(dimension, (birth, death))``: high dimensions first.

    Arguments as `to_arrays`; ``image`` counts through batch and channels.

    Raises:
        ValueError: If there is no such image, or an option is unknown.

    Examples:
        >>> from topoprior import persistence
        >>> to_pairs(persistence(torch.tensor([[[0.75, 0.25, 0.5]]])))
        [(0, (0.25, inf)), (0, (0.5, 0.75))]
    """
    if image not in range(diagrams.number_of_images):
        raise ValueError(f"image must be in 0..{diagrams.number_of_images - 1}, got {image}")
    arrays = to_arrays(diagrams, values=values, essential=essential)[image]
    return [(k, (birth, death)) for k in reversed(range(len(arrays))) for birth, death in arrays[k].tolist()]


def from_pairs(pairs: Iterable[Pair], *, spatial_axes: int, **options: Any) -> PersistenceDiagrams:
    """Diagrams of one image from GUDHI's list; other arguments and errors as `from_arrays`.

    Args:
        pairs: ``(dimension, (birth, death))`` in any order.
        spatial_axes: Of the image, 1 to 3: a list without loops does not tell.
        **options: ``values``, ``shape``, ``construction``, ``boundary``.

    Examples:
        >>> len(from_pairs([(0, (0.25, float("inf"))), (0, (0.5, 0.75))], spatial_axes=2))
        2
    """
    rows = [(birth, death, dimension) for dimension, (birth, death) in pairs]
    return from_table(np.array(rows, dtype=np.float64).reshape(1, -1, 3), spatial_axes=spatial_axes, **options)


def to_table(diagrams: PersistenceDiagrams, *, values: Values = "1-p", essential: Essential = "finite") -> Bars:
    """All bars as rows of birth, death and dimension, the form of giotto-tda.

    Images with fewer bars are filled up, in each dimension, with bars of length 0 at probability 1/2. Their number
    means nothing.

    Arguments as `to_arrays`.

    Returns:
        float64, shape ``(images, rows, 3)``.

    Raises:
        ValueError: If an option is unknown.

    Examples:
        >>> from topoprior import persistence
        >>> to_table(persistence(torch.tensor([[[0.75, 0.25, 0.5]], [[0.75, 0.75, 0.25]]])), values="p")
        array([[[0.75, 0.  , 0.  ],
                [0.5 , 0.25, 0.  ]],
        <BLANKLINE>
               [[0.75, 0.  , 0.  ],
                [0.5 , 0.5 , 0.  ]]])
    """
    arrays = to_arrays(diagrams, values=values, essential=essential)
    filling = _told(np.array(0.5), values)
    blocks = []
    for k in range(diagrams.spatial_axes):
        block = np.full((len(arrays), max(len(image[k]) for image in arrays), 3), filling)
        block[:, :, 2] = k
        for row, image in zip(block, arrays, strict=True):
            row[: len(image[k]), :2] = image[k]
        blocks.append(block)
    return np.concatenate(blocks, axis=1)


def from_table(table: npt.ArrayLike, *, spatial_axes: int, **options: Any) -> PersistenceDiagrams:
    """Diagrams from rows of birth, death and dimension; other arguments and errors as `from_arrays`.

    Rows of length 0 are left out, so those that fill up a table do not come back.

    Args:
        table: Shape ``(images, rows, 3)``, or ``(rows, 3)`` for one image.
        spatial_axes: Of the images, 1 to 3: a table without loops does not tell.
        **options: ``values``, ``shape``, ``construction``, ``boundary``.

    Examples:
        >>> from_table([[0.25, 1.0, 0], [0.5, 0.75, 0], [0.5, 0.5, 1]], spatial_axes=2).dimension
        tensor([0, 0])
    """
    rows = np.asarray(table, dtype=np.float64)
    rows = rows[None] if rows.ndim == 2 else rows
    if rows.ndim != 3 or rows.shape[2] != 3:
        raise ValueError(f"table must have shape (images, rows, 3), got {np.shape(table)}")
    other = rows[..., 2][~np.isin(rows[..., 2], range(spatial_axes))]
    if other.size:
        raise ValueError(f"the dimension of a bar must be in 0..{spatial_axes - 1}, got {other[0]:g}")
    arrays = [[image[image[:, 2] == k, :2] for k in range(spatial_axes)] for image in rows]
    return from_arrays(arrays, **options)


def _bars(given: npt.ArrayLike, values: Values, dimension: int) -> Bars:
    """Births and deaths as ours, from the longest to the shortest."""
    bars = np.array(given, dtype=np.float64)
    bars = bars.reshape(0, 2) if bars.size == 0 else bars
    if bars.ndim != 2 or bars.shape[1] != 2:
        raise ValueError(f"bars must have shape (bars, 2), got {bars.shape}")
    never = bars[:, 1] == (-math.inf if values == "p" else math.inf)
    if dimension == 0:
        bars[never, 1] = _told(np.array(0.0), values)
    ends = _told(bars, values)
    wrong = ~((ends[:, 0] <= 1) & (ends[:, 0] >= ends[:, 1]) & (ends[:, 1] >= 0))  # NaN too
    if wrong.any():
        birth, death = bars[wrong][0]
        order = "1 >= birth >= death >= 0" if values == "p" else f"birth <= death, told in {values} of probabilities"
        raise ValueError(f"a bar of dimension {dimension} must have {order}, got ({birth:g}, {death:g})")
    lengths = ends[:, 0] - ends[:, 1]
    sorting = np.argsort(-lengths, kind="stable")
    kept = (lengths[sorting] > 0) | ((np.arange(len(ends)) == 0) & (dimension == 0))
    return np.asarray(ends[sorting][kept])


def _told(numbers: Bars, values: Values) -> Bars:
    """Probabilities in these numbers, and these numbers in probabilities: each is its own inverse."""
    if values == "1-p":
        return np.asarray(1 - numbers)
    return numbers if values == "p" else np.asarray(0.0 - numbers)  # not -numbers: zero stays positive


def _checked_shape(shape: Sequence[int] | None, images: int, axes: int) -> tuple[int, ...]:
    if shape is None:
        return (images, 1, *(0,) * axes)
    if len(shape) != 2 + axes or shape[0] * shape[1] != images:
        raise ValueError(
            f"shape must be (batch, channel, *spatial) of {images} images with {axes} axes, got {tuple(shape)}"
        )
    return tuple(shape)


def _check_word(name: str, value: object, kind: Any) -> None:
    if value not in get_args(kind):
        raise ValueError(f"{name} must be one of {', '.join(map(repr, get_args(kind)))}, got {value!r}")
