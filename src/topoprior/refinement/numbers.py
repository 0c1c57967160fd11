"""What counts as a number among the options: no text, no truth value, and for steps no fraction."""

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


def check_middle(threshold: float) -> None:
    """Refuse any threshold but 0.5 with class priors.

    Raises:
        ValueError: If it is another one.
    """
    if threshold != 0.5:
        raise ValueError(
            f"threshold must be left at 0.5 with class priors, got {threshold}: "
            "the mask is the most probable class of each pixel"
        )
