"""Priors of well-known anatomy, with where they come from; the outside of the image is background."""

from __future__ import annotations

from typing import TYPE_CHECKING

from topoprior.priors.betti_prior import BettiPrior
from topoprior.priors.class_priors import ClassPriors

if TYPE_CHECKING:
    from collections.abc import Sequence


def short_axis_heart(classes: Sequence[str] = ("BG", "RV", "MYO", "LV")) -> ClassPriors:
    """A mid-ventricular short-axis slice: right ventricle, myocardium and left ventricle, and all their pairs.

    One right ventricle without a hole, a closed ring of myocardium, filled by the cavity of the left ventricle; the
    right ventricle touches the ring along one piece and is apart from the cavity. Slices at base and apex may have
    less: there the ring can be open, and a class can be absent (`ClassPriors.without`).

    Args:
        classes: Names of the channels in the order of the network; "RV", "MYO" and "LV" must be among them. The default
            is the order of the ACDC labels.

    References:
        Byrne et al. (2021), arXiv 2008.09585, and (2023), IEEE TMI 42(1), arXiv 2107.12689.

    Examples:
        >>> print(short_axis_heart())
        RV 1,0; MYO 1,1; LV 1,0; RV+MYO 1,1; RV+LV 2,0; MYO+LV 1,0
        >>> print(short_axis_heart().check())
        follows: RV and MYO touch
        follows: RV and LV do not touch
        follows: MYO and LV touch
        follows: LV fills every loop of MYO
    """
    return ClassPriors.from_words(
        "MYO encloses LV; RV touches MYO once; LV apart from RV",
        {"RV": (1, 0), "MYO": (1, 1), "LV": (1, 0)},
        classes=classes,
    )


def cortical_shell() -> BettiPrior:
    """The cortex as a closed sheet, a topological sphere: one component around one cavity, no tunnel.

    References:
        Clough et al. (2022), IEEE TPAMI 44(12), discussion. PMC9721526.

    Examples:
        >>> cortical_shell()
        BettiPrior(1, 0, 1)
    """
    return BettiPrior(1, 0, 1)


def cortical_solid() -> BettiPrior:
    """What the cortical surface encloses, a topological ball: one component, no tunnel, no cavity.

    References:
        Clough et al. (2022), IEEE TPAMI 44(12), discussion. PMC9721526.

    Examples:
        >>> cortical_solid()
        BettiPrior(1, 0, 0)
    """
    return ball()


def vascular_tree() -> BettiPrior:
    """A tree of vessels in 3-D: connected, without loops. Anastomoses such as the circle of Willis are loops.

    References:
        Clough et al. (2022), IEEE TPAMI 44(12), discussion. PMC9721526.

    Examples:
        >>> vascular_tree()
        BettiPrior(1, 0, 0)
    """
    return BettiPrior(1, 0, 0)


def ring() -> BettiPrior:
    """One ring in 2-D, as the myocardium in a short-axis slice.

    References:
        Clough et al. (2022), IEEE TPAMI 44(12), section 4.2. PMC9721526.

    Examples:
        >>> ring()
        BettiPrior(1, 1)
    """
    return BettiPrior(1, 1)


def ball() -> BettiPrior:
    """One solid object in 3-D, as the placenta: one component, no tunnel, no cavity.

    References:
        Clough et al. (2022), IEEE TPAMI 44(12), section 4.4. PMC9721526.

    Examples:
        >>> ball()
        BettiPrior(1, 0, 0)
    """
    return BettiPrior(1, 0, 0)
