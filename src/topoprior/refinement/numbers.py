"""Checks of options: what counts as a number (no text, no truth value, for steps no fraction), what suits classes."""

from numbers import Integral, Real


def check_number(name: str, value: object) -> None:
    """Raise ``TypeError`` unless the value is a real number; NaN and infinities are for the range to refuse."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name} must be a number, got {value!r}")


def check_steps(name: str, value: object, *, least: int, of: str = "steps") -> None:
    """Refuse what is no number of steps, or of something else.

    Raises:
        TypeError: If the value is no number.
        ValueError: If it is no whole number, or below ``least``.

    Examples:
        >>> check_steps("patience", 1.5, least=1)
        Traceback (most recent call last):
        ValueError: patience must be a whole number of steps, at least 1, got 1.5
    """
    check_number(name, value)
    if not isinstance(value, Integral) or value < least:
        raise ValueError(f"{name} must be a whole number of {of}, at least {least}, got {value}")


def check_class_options(threshold: float, *, include_background: bool) -> None:
    """Refuse what class priors have no use for.

    Raises:
        ValueError: If the threshold is another one than 0.5, or background is to be left out.
    """
    if threshold != 0.5:
        raise ValueError(
            f"threshold must be left at 0.5 with class priors, got {threshold}: "
            "the mask is the most probable class of each pixel"
        )
    if not include_background:
        raise ValueError(
            "include_background=False has no use with class priors: they name their channels, and background has a "
            "prior only if they give it one"
        )
