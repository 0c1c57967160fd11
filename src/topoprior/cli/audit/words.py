"""Betti numbers, shares and faults in words, as ``topoprior audit`` tells them."""

from topoprior.evaluation.intervals import share_interval
from topoprior.priors.audit import Broken, Numbers, Share

_FEATURES = {2: ("component", "loop"), 3: ("component", "tunnel", "cavity")}


def text(numbers: Numbers) -> str:
    """Betti numbers as in a prior.

    Examples:
        >>> text((1, 1))
        '1,1'
    """
    return ",".join(map(str, numbers))


def percent(share: Share) -> str:
    """A share in percent, without the sign; 100.0 and 0.0 only where it is that exactly.

    Examples:
        >>> percent(Share(9999, 10000)), percent(Share(1, 1)), percent(Share(0, 0))
        ('99.9', '100.0', '-')
    """
    if not share.total:
        return "-"
    if 0 < share.held < share.total:
        return f"{min(max(100 * share.value, 0.1), 99.9):.1f}"
    return f"{100 * share.value:.1f}"


def interval(share: Share) -> tuple[float, float]:
    """Wilson's 95 % interval of a share of cases, as if they were independent: slices of one volume are not.

    Examples:
        >>> [round(end, 3) for end in interval(Share(19, 20))]
        [0.764, 0.991]
    """
    return share_interval([1] * share.held + [0] * (share.total - share.held))


def interval_text(share: Share) -> str:
    """The same in percent.

    Examples:
        >>> interval_text(Share(19, 20)), interval_text(Share(0, 0))
        ('76.4 to 99.1', '-')
    """
    return "{:.1f} to {:.1f}".format(*(100 * end for end in interval(share))) if share.total else "-"


def difference(broken: Broken) -> str:
    """What a label has in place of what is wanted.

    Examples:
        >>> from topoprior.priors.betti_prior import BettiPrior
        >>> difference(Broken((1,), (2, 0), BettiPrior(1, (1, 2)), 2, 1))
        '2 components instead of 1, no loop instead of 1 to 2'
    """
    words = _FEATURES.get(len(broken.numbers), ("component",))
    parts = []
    for name, number, low, high in zip(words, broken.numbers, broken.prior.lower, broken.prior.upper, strict=True):
        if number < low or (high is not None and number > high):
            plural = {"cavity": "cavities"}.get(name, f"{name}s")
            has = f"{number or 'no'} {name if number <= 1 else plural}"
            wanted = f"{low} or more" if high is None else str(low or "none") if low == high else f"{low} to {high}"
            parts.append(f"{has} instead of {wanted}")
    return ", ".join(parts)
