"""Persistence diagrams of a batch of images: the bars, as tensors that know which pixels set them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from topoprior.topology.filtration import (
    Boundary,
    Construction,
    Images,
    as_images,
    check_options,
    check_threads,
    dimension_mask,
)
from topoprior.topology.pairing import Pairs, persistence_pairs


@dataclass(frozen=True, eq=False)
class PersistenceDiagrams:
    """The bars of a batch of images, one row per bar.

    Rows are sorted by image, dimension and from the longest bar to the shortest. Inside ``torch.func.vmap`` rows of
    dimension -1 fill up the shorter cases: their births and deaths are 0, and they are counted nowhere.

    Attributes:
        births: Shape ``(bars,)``, values of the images at ``birth_index``, differentiable, dtype and device of the
            images.
        deaths: The same for ``death_index``; 0 for the essential component.
        dimension: Homology dimension, 0 to d - 1: components, loops, cavities. int64, as all that follow.
        image: Flat index ``batch_index * channels + channel_index``.
        rank: Place in its (image, dimension) group; 0 is the longest bar.
        birth_index: Flat index, in C order, of the pixel that gives birth inside its own image; -1 for the outside.
        death_index: The same for the death; -1 for the essential component.
        shape: Shape of the images, ``(batch, channel, *spatial)``.
        dimensions: Homology dimensions that were computed, or selected; of others nothing is known.
        construction: ``"T"`` or ``"V"``.
        boundary: ``"background"`` or ``"foreground"``.
    """

    births: Tensor
    deaths: Tensor
    dimension: Tensor
    image: Tensor
    rank: Tensor
    birth_index: Tensor
    death_index: Tensor
    shape: tuple[int, ...]
    dimensions: tuple[int, ...]
    construction: Construction
    boundary: Boundary

    @property
    def persistence(self) -> Tensor:
        """Lengths of the bars, ``births - deaths``, never negative."""
        return self.births - self.deaths

    @property
    def number_of_images(self) -> int:
        """Batch size times channels."""
        return self.shape[0] * self.shape[1]

    @property
    def spatial_axes(self) -> int:
        """Number of spatial axes, d; homology dimensions are 0 to d - 1."""
        return len(self.shape) - 2

    def __len__(self) -> int:
        return self.births.shape[0]

    def select(self, *, image: int | None = None, dimension: int | None = None) -> "PersistenceDiagrams":
        """The bars of one image, of one dimension, or both; ``image`` and ``shape`` keep their meaning.

        Raises:
            ValueError: If there is no such image or dimension.
        """
        chosen = self.dimension >= 0
        for name, wanted, column, end in (
            ("image", image, self.image, self.number_of_images),
            ("dimension", dimension, self.dimension, self.spatial_axes),
        ):
            if wanted is not None:
                if wanted not in range(end):
                    raise ValueError(f"{name} must be in 0..{end - 1}, got {wanted}")
                chosen = chosen & (column == wanted)
        return replace(
            self,
            births=self.births[chosen],
            deaths=self.deaths[chosen],
            dimension=self.dimension[chosen],
            image=self.image[chosen],
            rank=self.rank[chosen],
            birth_index=self.birth_index[chosen],
            death_index=self.death_index[chosen],
            dimensions=tuple(k for k in self.dimensions if dimension in (None, k)),
        )

    def betti_numbers(self, p: float = 0.5) -> Tensor:
        """Number of bars with ``birth >= p > death``: the Betti numbers of the pixels with value ``>= p``.

        Args:
            p: Threshold, greater than 0 and at most 1.

        Returns:
            int64, shape ``(batch, channel, d)``. Dimensions that were not computed count 0.

        Raises:
            ValueError: If ``p`` is not in (0, 1].
        """
        if not 0 < p <= 1:
            raise ValueError(f"p must be greater than 0 and at most 1, got {p}")
        present = (self.births >= p) & (self.deaths < p)
        group = (self.image * self.spatial_axes + self.dimension).clamp(min=0)
        counts = group.new_zeros(self.number_of_images * self.spatial_axes).index_add(0, group, present.long())
        return counts.view(*self.shape[:2], self.spatial_axes)


def persistence(
    images: Images,
    *,
    construction: Construction = "T",
    boundary: Boundary = "background",
    dimensions: Iterable[int] | None = None,
    threads: int | None = None,
) -> PersistenceDiagrams:
    """Persistence diagrams of the super-level sets of probability maps.

    Pixels enter from high to low value, so ``birth >= death``; the component that never dies is closed at 0. Births
    and deaths are entries of ``images``: they keep its dtype and device, and gradients of any order reach the pixels
    that set them. The conventions in full are in `topoprior.topology.filtration`.

    Args:
        images: Tensor or array, shape ``(batch, channel, *spatial)`` with one to three spatial axes, floating point
            values in [0, 1].
        construction: ``"T"``: pixels touch at corners too (8 / 26 neighbours). ``"V"``: through faces only (4 / 6).
        boundary: What the outside of the image counts as: ``"background"``, or ``"foreground"``, one cell present at
            every value.
        dimensions: Homology dimensions wanted, for example ``(0,)``; by default all, 0 to d - 1.
        threads: Threads of the core; by default ``torch.get_num_threads()``. The result does not depend on it.

    Returns:
        All bars of non-zero length, and the essential component of every image.

    Raises:
        TypeError: If ``images`` is neither tensor nor array, or is not floating point.
        ValueError: If the shape is wrong or empty, a value is not finite or lies outside [0, 1], or an option is
            unknown.

    References:
        Clough et al. (2022), IEEE TPAMI 44(12), equations 1 and 2. PMC9721526.

    Examples:
        Two bright pixels separated by a darker bridge:

        >>> diagrams = persistence(torch.tensor([[[0.9, 0.2, 0.7]]]))
        >>> diagrams.births, diagrams.deaths
        (tensor([0.9000, 0.7000]), tensor([0.0000, 0.2000]))
        >>> diagrams.birth_index, diagrams.death_index
        (tensor([0, 2]), tensor([-1,  1]))
        >>> diagrams.betti_numbers(0.5)
        tensor([[[2]]])
    """
    check_options(construction, boundary)
    tensor = as_images(images)
    mask = dimension_mask(dimensions, tensor.ndim - 2)
    return diagrams_of(tensor, construction, boundary, mask, check_threads(threads))


def diagrams_of(
    images: Tensor, construction: Construction, boundary: Boundary, dimensions: int, threads: int
) -> PersistenceDiagrams:
    """`persistence` behind its checks; ``dimensions`` is a bit mask, ``threads`` 0 means as many as torch uses."""
    stack = images.flatten(0, 1)
    pairs = persistence_pairs(
        stack, construction=construction, boundary=boundary, dimensions=dimensions, threads=threads
    )
    values = stack.reshape(-1).index_select(0, pairs.places.reshape(-1)).view(pairs.places.shape)
    return diagrams_from(values, pairs, images.shape, construction, boundary, dimensions)


def diagrams_from(
    values: Tensor, pairs: Pairs, shape: Sequence[int], construction: Construction, boundary: Boundary, dimensions: int
) -> PersistenceDiagrams:
    """Diagrams of pairs of these ``dimensions``, a bit mask, whose ends have these ``values``, shape ``(2, bars)``.

    Where there is no pixel, the birth of the outside is 1 and all else 0, whatever ``values`` says there.
    """
    births, deaths = torch.where(pairs.ends >= 0, values, 0).unbind()
    if boundary == "foreground":
        births = torch.where((pairs.ends[0] < 0) & (pairs.dimension == 0), 1, births)
    return PersistenceDiagrams(
        births=births,
        deaths=deaths,
        dimension=pairs.dimension,
        image=pairs.image,
        rank=pairs.rank,
        birth_index=pairs.ends[0],
        death_index=pairs.ends[1],
        shape=tuple(shape),
        dimensions=tuple(k for k in range(len(shape) - 2) if dimensions >> k & 1),
        construction=construction,
        boundary=boundary,
    )
