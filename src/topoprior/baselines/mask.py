"""From probabilities to the mask that every baseline starts from."""

from torch import Tensor

from topoprior.topology.filtration import LOGITS_HINT, Images, as_images, check_values

THRESHOLD = 0.5


def as_probability(probability: Images) -> Tensor:
    """The probabilities as a plain tensor without gradient, after all checks.

    Raises:
        TypeError: If it is no tensor or array of floating-point numbers.
        ValueError: If the shape is not ``(batch, 1, *spatial)`` with 1 to 3 spatial axes, or a value is not in [0, 1].
    """
    checked = as_images(probability, name="probability").detach()
    if checked.shape[1] != 1:
        raise ValueError(
            f"probability must have one channel, shape (batch, 1, *spatial), got {tuple(checked.shape)}: "
            "give one class at a time, such as probability[:, 1:2]"
        )
    check_values(checked, name="probability", hint=LOGITS_HINT)
    return checked


def as_mask(probability: Images) -> Tensor:
    """Where the probability is at least 0.5: a boolean tensor of the same shape, after all checks."""
    return as_probability(probability) >= THRESHOLD
