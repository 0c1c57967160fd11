"""The prior of unlabelled images as a term of another trainer's loss, ``weight * loss(prediction)``: equation 6."""

from __future__ import annotations


def check_prior_term(loss: object, weight: float, *, prefix: str = "") -> None:
    """Refuse what is no loss or no weight.

    Args:
        loss: Of the network's output, without a target.
        weight: Lambda of equation 6.
        prefix: How the caller's names of the two begin.

    Raises:
        TypeError: If ``loss`` cannot be called.
        ValueError: If ``weight`` is not positive.
    """
    if not callable(loss):
        raise TypeError(f"{prefix}loss must be callable, got {type(loss).__name__}")
    if not weight > 0:
        raise ValueError(f"{prefix}weight must be positive, got {weight}")
