"""Cubical persistence as a scikit-learn transformer: images in, diagrams out, with GUDHI's and giotto-tda's forms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch

from topoprior.topology.diagram import persistence
from topoprior.topology.exchange import to_arrays, to_table

try:
    from sklearn.base import BaseEstimator, TransformerMixin
except ImportError as error:
    raise ImportError("CubicalPersistence needs scikit-learn: pip install 'topoprior[sklearn]'") from error

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from topoprior.topology.diagram import PersistenceDiagrams
    from topoprior.topology.exchange import Essential, Values
    from topoprior.topology.filtration import Boundary, Construction


class CubicalPersistence(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Persistence diagrams of probability maps, as a step of a scikit-learn pipeline.

    There is nothing to fit. What comes out goes on to ``gudhi.representations``, persim's images or giotto-tda's
    amplitudes, with ``betti`` straight to a classifier.

    Args:
        dimensions: A homology dimension, for one array per image; several, for a list of arrays per image; None for all
            that the images have.
        form: ``"arrays"``: births and deaths, shape ``(bars, 2)``. ``"table"``: giotto-tda's array of shape
            ``(images, rows, 3)``. ``"betti"``: how many features are there at each of the ``levels``, shape
            ``(images, dimensions * levels)``, dimension by dimension.
        values: Births and deaths are told in ``"p"`` (birth >= death), ``"1-p"`` or ``"-p"`` (birth <= death, as those
            libraries expect).
        essential: The component that never dies ends at probability 0 (``"finite"``) or never (``"infinite"``).
        levels: Probabilities at which ``"betti"`` counts.
        image_shape: Of images that come as rows of a matrix, which is what most of scikit-learn hands on.
        construction: ``"T"`` (8 / 26 neighbours) or ``"V"`` (4 / 6).
        boundary: What the outside of the image counts as, ``"background"`` or ``"foreground"``.
        threads: Threads of the core; by default ``torch.get_num_threads()``.

    Examples:
        >>> maps = np.array([[[0.9, 0.2, 0.7]], [[0.1, 0.1, 0.6]]])
        >>> CubicalPersistence(dimensions=0, values="p").fit_transform(maps)[0]
        array([[0.9, 0. ],
               [0.7, 0.2]])
        >>> CubicalPersistence(dimensions=0, form="betti", levels=(0.5, 0.8)).fit_transform(maps)
        array([[2., 1.],
               [1., 0.]])
    """

    def __init__(
        self,
        dimensions: int | Sequence[int] | None = None,
        *,
        form: Literal["arrays", "table", "betti"] = "arrays",
        values: Values = "1-p",
        essential: Essential = "finite",
        levels: Sequence[float] = (0.5,),
        image_shape: Sequence[int] | None = None,
        construction: Construction = "T",
        boundary: Boundary = "background",
        threads: int | None = None,
    ) -> None:
        self.dimensions = dimensions
        self.form = form
        self.values = values
        self.essential = essential
        self.levels = levels
        self.image_shape = image_shape
        self.construction = construction
        self.boundary = boundary
        self.threads = threads

    def fit(self, X: npt.ArrayLike, y: object = None) -> CubicalPersistence:  # noqa: ARG002, N803 - scikit-learn's names
        """Remember the shape of the images; there is nothing else to learn.

        Raises:
            TypeError, ValueError: If ``X`` is no stack of probability maps.
        """
        self.shape_ = self._images(X).shape[1:]
        self.n_features_in_ = int(np.prod(self.shape_))
        return self

    def transform(self, X: npt.ArrayLike) -> Any:  # noqa: N803 - scikit-learn's name
        """The diagrams of the images, in the chosen form.

        Args:
            X: Probabilities in [0, 1], shape ``(images, *spatial)``, or ``(images, pixels)`` with ``image_shape``.

        Raises:
            TypeError, ValueError: If ``X`` is no stack of probability maps, or an option is wrong.
        """
        if self.form not in ("arrays", "table", "betti"):
            raise ValueError(f"form must be one of 'arrays', 'table', 'betti', got {self.form!r}")
        images = self._images(X)
        alone = isinstance(self.dimensions, int | np.integer)
        wanted = list(range(images.ndim - 1)) if self.dimensions is None else np.ravel(self.dimensions).tolist()
        diagrams = persistence(
            torch.from_numpy(images)[:, None],
            construction=self.construction,
            boundary=self.boundary,
            dimensions=wanted,
            threads=self.threads,
        )
        if self.form == "betti":
            return self._betti(diagrams, wanted)
        if self.form == "table":
            return to_table(diagrams, values=self.values, essential=self.essential)
        arrays = to_arrays(diagrams, values=self.values, essential=self.essential)
        return [image[wanted[0]] if alone else [image[k] for k in wanted] for image in arrays]

    def _betti(self, diagrams: PersistenceDiagrams, wanted: list[int]) -> npt.NDArray[np.float64]:
        counts = torch.stack([diagrams.betti_numbers(level)[:, 0, wanted] for level in self.levels], dim=2)
        return counts.flatten(1).double().numpy()

    def _images(self, given: npt.ArrayLike) -> npt.NDArray[np.floating[Any]]:
        """Shape ``(images, *spatial)``, of a type that the core takes."""
        images = np.asarray(given)
        if self.image_shape is not None:
            if images.ndim != 2 or images.shape[1] != np.prod(self.image_shape):
                raise ValueError(
                    f"X must have shape (images, {np.prod(self.image_shape)}) for images of {tuple(self.image_shape)}, "
                    f"got {images.shape}"
                )
            images = images.reshape(len(images), *self.image_shape)
        elif images.ndim == 2:
            raise ValueError(
                f"X must have shape (images, *spatial), got {images.shape}: for rows of pixels give image_shape"
            )
        if images.dtype.kind != "f":
            raise TypeError(f"X must hold floating point probabilities in [0, 1], got {images.dtype}")
        return images
