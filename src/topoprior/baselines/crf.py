"""Fully connected conditional random field: pixels that are close and look alike should have the same label."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, fields, replace
from importlib import import_module
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch

from topoprior.baselines.mask import as_probability
from topoprior.evaluation.metrics import dice
from topoprior.imaging.networks import normalise
from topoprior.topology.filtration import as_images

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from numpy.typing import NDArray
    from torch import Tensor

    from topoprior.priors.betti_prior import PriorLike
    from topoprior.topology.filtration import Images

    Values = NDArray[np.float32]

# What `fitted_to` tries: 48 combinations.
GRID: Mapping[str, Sequence[float]] = {
    "gaussian_weight": (1.0, 3.0),
    "gaussian_sigma": (1.0, 3.0),
    "bilateral_weight": (1.0, 5.0),
    "bilateral_sigma": (3.0, 10.0),
    "intensity_sigma": (0.1, 0.3, 1.0),
}
_SURE = 1e-5  # probabilities are kept this far from 0 and 1, so that neighbours can outvote any pixel


@dataclass(frozen=True)
class DenseCRF:
    """Mean-field inference in a fully connected CRF with two labels, foreground and background.

    Its energy is ``-log probability`` of the label of each pixel, plus, for each pair of pixels with different labels
    (Potts)::

        gaussian_weight exp(-|x - y|² / 2 gaussian_sigma²)
        + bilateral_weight exp(-|x - y|² / 2 bilateral_sigma² - |I(x) - I(y)|² / 2 intensity_sigma²),

    each kernel normalised symmetrically by its sums. x and y are places, I the image, each image scaled by itself to
    mean 0 and standard deviation 1 (over all channels), so that one ``intensity_sigma`` serves differently scaled
    images. The filters are those of pydensecrf, an approximation (permutohedral lattice), the same in each run.

    Args:
        gaussian_weight: How much neighbours count whatever the image shows; at least 0.
        gaussian_sigma: How far they reach, in the unit of ``spacing``; more than 0.
        bilateral_weight: How much pixels count that look alike; at least 0.
        bilateral_sigma: How far these reach, in the unit of ``spacing``; more than 0.
        intensity_sigma: How alike they look, in standard deviations of the image; more than 0.
        iterations: Of the mean field, a whole number of at least 1.
        spacing: Size of a pixel along each spatial axis, such as millimetres; None for 1 each.

    Raises:
        TypeError: If an option is not a number, or ``iterations`` not a whole one.
        ValueError: If an option is out of range or not finite.

    References:
        Krähenbühl and Koltun (2011), Efficient inference in fully connected CRFs with Gaussian edge potentials,
        equations 1 and 3. Baseline "CRF" of Clough et al. (2022), section 4.2, which does not state its parameters: fit
        them with `fitted_to`. PMC9721526.

    Examples:
        A bright square that the network is unsure of, and a lone false pixel:

        >>> image = torch.zeros(1, 1, 12, 12)
        >>> image[..., 3:8, 3:8] = 1
        >>> probability = 0.1 + 0.5 * image
        >>> probability[..., 5, 5], probability[..., 0, 11] = 0.4, 0.7
        >>> mask = DenseCRF()(probability, image=image)
        >>> bool((mask == (image == 1)).all())
        True
    """

    name: ClassVar[str] = "crf"
    gaussian_weight: float = 3.0
    gaussian_sigma: float = 1.0
    bilateral_weight: float = 3.0
    bilateral_sigma: float = 10.0
    intensity_sigma: float = 0.3
    iterations: int = 5
    spacing: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        for option in GRID:
            _check_number(option, getattr(self, option), zero_allowed=option.endswith("weight"))
        if isinstance(self.iterations, bool) or not isinstance(self.iterations, int):
            raise TypeError(f"iterations must be a whole number, got {self.iterations!r}")
        if self.iterations < 1:
            raise ValueError(f"iterations must be at least 1, got {self.iterations}")
        if self.spacing is not None:
            object.__setattr__(self, "spacing", _as_spacing(self.spacing))

    def __call__(  # the arguments that are not used belong to the common call
        self,
        probability: Images,
        *,
        image: Images | None = None,
        prior: PriorLike | None = None,  # noqa: ARG002
    ) -> Tensor:
        """The mask that the field prefers.

        Args:
            probability: Of the foreground, shape ``(batch, 1, *spatial)`` with 1 to 3 spatial axes, in [0, 1].
            image: What was segmented, shape ``(batch, channel, *spatial)``, floating point of any range.
            prior: Not used.

        Returns:
            Boolean tensor of the shape of ``probability``, on its device.

        Raises:
            TypeError: If ``probability`` or ``image`` is no tensor or array of floating-point numbers.
            ValueError: If there is no image, or a shape, a value or the number of spacings is wrong.
            ImportError: If pydensecrf2 is missing.
        """
        checked = as_probability(probability)
        looks = self._checked_image(image, checked)
        masks = [self._inferred(p, i) for p, i in zip(_values(checked)[:, 0], _values(looks), strict=True)]
        return torch.from_numpy(np.stack(masks))[:, None].to(checked.device)

    def as_dict(self) -> dict[str, Any]:
        """Name and options as plain JSON values, which `baselines.post_processing.post_processing` reads."""
        options = {field.name: getattr(self, field.name) for field in fields(self)}
        spacing = None if self.spacing is None else list(self.spacing)
        return {"name": self.name, **options, "spacing": spacing}

    def fitted_to(
        self,
        probabilities: Images,
        images: Images,
        labels: Images,
        *,
        grid: Mapping[str, Sequence[float]] = GRID,
        progress: Callable[[int, int], None] | None = None,
    ) -> DenseCRF:
        """The field with the highest mean Dice on a validation set, among all combinations of a grid.

        Options that are not in the grid (iterations, spacing) stay as they are. Of equal results the first combination
        counts, in the order of the grid with the last option running fastest. The default grid has 48 combinations:
        two weights and two reaches of the Gaussian kernel, two weights, two reaches and three intensities of the
        bilateral one. 100 images of 80 x 80 pixels take about half a minute on one core. If the best value lies at an
        end of the grid, a wider one may have a better.

        Args:
            probabilities: Of the foreground, shape ``(batch, 1, *spatial)``, in [0, 1].
            images: What was segmented, shape ``(batch, channel, *spatial)``.
            labels: The right masks, boolean or 0/1 valued, shape of ``probabilities``.
            grid: Values to try for each option.
            progress: Called with the number of combinations done and the number of all, after each.

        Raises:
            TypeError: If a tensor is of another type.
            ValueError: If the grid names another option or is empty, or a shape or a value is wrong.
            ImportError: If pydensecrf2 is missing.
        """
        known = {field.name for field in fields(self)}
        if not grid or any(option not in known or len(values) == 0 for option, values in grid.items()):
            rule = f"grid must give at least one value for each of its options, some of {', '.join(sorted(known))}"
            raise ValueError(f"{rule}, got {dict(grid)}")
        combinations: list[dict[str, Any]] = [
            dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())
        ]
        candidates = [replace(self, **options) for options in combinations]
        scores = []
        for done, candidate in enumerate(candidates, start=1):
            scores.append(dice(candidate(probabilities, image=images), labels).mean().item())
            if progress is not None:
                progress(done, len(candidates))
        return candidates[int(np.argmax(scores))]

    def _checked_image(self, image: Images | None, probability: Tensor) -> Tensor:
        """The image scaled to mean 0 and standard deviation 1, after all checks."""
        if image is None:
            raise ValueError("image must be given: a CRF compares the intensities of pixels, got None")
        looks = as_images(image, name="image").detach()
        if looks.shape[0] != probability.shape[0] or looks.shape[2:] != probability.shape[2:]:
            raise ValueError(
                "image must have shape (batch, channel, *spatial) with batch and spatial axes of probability, "
                f"got {tuple(looks.shape)} for {tuple(probability.shape)}"
            )
        if not bool(torch.isfinite(looks).all()):
            raise ValueError(f"image must hold finite values, got {looks[~torch.isfinite(looks)][0].item()}")
        axes = probability.ndim - 2
        if self.spacing is not None and len(self.spacing) != axes:
            raise ValueError(f"spacing must have one number per spatial axis, {axes}, got {self.spacing}")
        return normalise(looks.double(), "standard")

    def _inferred(self, probability: Values, image: Values) -> NDArray[np.bool_]:
        """One image: probability of shape ``spatial``, image of shape ``(channel, *spatial)``."""
        model, features = _pydensecrf()
        field = model.DenseCRF(probability.size, 2)
        foreground = np.clip(probability, _SURE, 1 - _SURE).ravel()
        field.setUnaryEnergy(-np.log(np.stack((1 - foreground, foreground))))
        spacing = self.spacing or (1.0,) * probability.ndim
        if self.gaussian_weight > 0:
            reach = [self.gaussian_sigma / size for size in spacing]
            near = features.create_pairwise_gaussian(reach, probability.shape)
            field.addPairwiseEnergy(near, compat=self.gaussian_weight)
        if self.bilateral_weight > 0:
            reach = [self.bilateral_sigma / size for size in spacing]
            alike = features.create_pairwise_bilateral(reach, (self.intensity_sigma,) * len(image), image, chdim=0)
            field.addPairwiseEnergy(alike, compat=self.bilateral_weight)
        background, foreground = np.asarray(field.inference(self.iterations))
        mask: NDArray[np.bool_] = (foreground >= background).reshape(probability.shape)
        return mask


def _values(images: Tensor) -> Values:
    values: Values = images.float().cpu().numpy()
    return values


def _as_spacing(spacing: object) -> tuple[float, ...]:
    if not isinstance(spacing, tuple | list):  # JSON and YAML have lists
        raise TypeError(f"spacing must be one number per spatial axis, or None, got {spacing!r}")
    for size in spacing:
        _check_number("spacing", size, zero_allowed=False)
    return tuple(spacing)


def _check_number(name: str, value: object, *, zero_allowed: bool) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} must be a number, got {value!r}")
    if not (math.isfinite(value) and (value > 0 or (zero_allowed and value == 0))):
        raise ValueError(f"{name} must be finite and {'at least' if zero_allowed else 'more than'} 0, got {value}")


def _pydensecrf() -> tuple[Any, Any]:
    try:
        return import_module("pydensecrf.densecrf"), import_module("pydensecrf.utils")
    except ImportError:
        raise ImportError("the CRF needs pydensecrf2: pip install 'topoprior[baselines]'") from None
