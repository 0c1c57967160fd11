"""What is known about the topology of several classes: the Betti numbers of single classes and of unions of classes.

The Betti numbers of every class alone do not say how the classes lie to each other. Those of unions do: a myocardium
with a loop, whose union with the cavity has none, encloses the cavity.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import torch
from torch import Tensor

from topoprior.priors.betti_prior import BettiPrior, PriorLike

if TYPE_CHECKING:
    from typing_extensions import TypeIs

    from topoprior.priors.consistency import Consistency
    from topoprior.topology.filtration import Boundary, Construction

Class: TypeAlias = str | int
Classes: TypeAlias = Class | tuple[Class, ...]
Numbers: TypeAlias = BettiPrior | Sequence[int | tuple[int, int | None] | None]


@dataclass(frozen=True, init=False, repr=False)
class ClassPriors:
    """Betti numbers of classes and of unions of classes, for the channels of a softmax. Immutable and hashable.

    Entries are sorted: smaller unions first, then by channel. This is the order of the rows wherever Betti numbers of
    `ClassPriors` are given.

    Args:
        priors: For a class, or a tuple of classes that stands for their union, the wanted numbers: a tuple as the
            arguments of `BettiPrior` (numbers, ranges, None) or a `BettiPrior` (for weights). A class is a name or
            the index of a channel. Background is a class like the others and may have a prior.
        classes: Names of all channels in their order, background first; or their number, and the names are "0", "1"...

    Attributes:
        classes: Names of the channels.
        unions: For each entry the indices of its classes, ascending.
        priors: For each entry what is wanted.

    Raises:
        TypeError: If something is of another type.
        ValueError: If there is no entry, a class does not exist, a union names a class twice, is that of all classes
            or comes twice (in another order), an entry asks for nothing, or the entries speak of different numbers of
            dimensions.

    References:
        Byrne et al. (2021, 2023), arXiv 2008.09585 and 2107.12689: priors of all classes and pairs of classes.

    Examples:
        >>> priors = ClassPriors(
        ...     {"RV": (1, 0), "MYO": (1, 1), "LV": (1, 0), ("LV", "MYO"): (1, 0)}, classes=("BG", "RV", "MYO", "LV")
        ... )
        >>> print(priors)
        RV 1,0; MYO 1,1; LV 1,0; MYO+LV 1,0
        >>> priors["MYO", "LV"]
        BettiPrior(1, 0)
    """

    classes: tuple[str, ...]
    unions: tuple[tuple[int, ...], ...]
    priors: tuple[BettiPrior, ...]

    def __init__(self, priors: Mapping[Classes, Numbers], *, classes: Sequence[str] | int) -> None:
        names = _as_names(classes)
        if not isinstance(priors, Mapping):
            raise TypeError(f"priors must be a dictionary from classes to Betti numbers, got {type(priors).__name__}")
        if not priors:
            raise ValueError("priors must have at least one entry, got none")
        table: dict[tuple[int, ...], BettiPrior] = {}
        for key, numbers in priors.items():
            union = _as_union(key, names)
            if union in table:
                raise ValueError(f"the union {name_of(union, names)} has two priors, got the second as {key!r}")
            table[union] = _as_prior(numbers, key)
        dimensions = {prior.dimensions for prior in table.values()}
        if len(dimensions) > 1:
            raise ValueError(f"all priors must have the same number of Betti numbers, got {sorted(dimensions)}")
        entries = sorted(table.items(), key=lambda entry: (len(entry[0]), entry[0]))
        object.__setattr__(self, "classes", names)
        object.__setattr__(self, "unions", tuple(union for union, _ in entries))
        object.__setattr__(self, "priors", tuple(prior for _, prior in entries))

    @classmethod
    def from_words(
        cls, words: str | Iterable[str], priors: Mapping[Classes, Numbers], *, classes: Sequence[str] | int
    ) -> ClassPriors:
        """Priors from sentences about classes: ``"MYO encloses LV"``, ``"RV touches MYO"``, ``"LV apart from RV"``.

        The words, what each is translated to and what it enforces are in `topoprior.priors.relations`.

        Args:
            words: Sentences, or one text with semicolons between them. A union is written ``"MYO+LV"``.
            priors: The Betti numbers that are known anyway; at least those of all classes that the sentences name.
            classes: As above.

        Raises:
            ValueError: If a sentence is none of these, names a class that does not exist or whose numbers are
                missing, or contradicts another one or the given numbers; or as above.

        Examples:
            >>> singles = {"RV": (1, 0), "MYO": (1, 1), "LV": (1, 0)}
            >>> words = "MYO encloses LV; RV touches MYO once; LV apart from RV"
            >>> print(ClassPriors.from_words(words, singles, classes=("BG", "RV", "MYO", "LV")))
            RV 1,0; MYO 1,1; LV 1,0; RV+MYO 1,1; RV+LV 2,0; MYO+LV 1,0
        """
        from topoprior.priors.relations import translate

        return cls({**translate(words, cls(priors, classes=classes))}, classes=classes)

    @property
    def dimensions(self) -> int:
        """How many Betti numbers each prior speaks of, the number of spatial axes of the images."""
        return self.priors[0].dimensions

    @property
    def names(self) -> tuple[str, ...]:
        """For each entry its classes, such as ``"MYO+LV"``."""
        return tuple(name_of(union, self.classes) for union in self.unions)

    def __getitem__(self, union: Classes) -> BettiPrior:
        """The prior of a class or union, in any order of the classes.

        Raises:
            KeyError: If it has none.
        """
        wanted = _as_union(union, self.classes)
        if wanted not in self.unions:
            raise KeyError(f"{name_of(wanted, self.classes)} has no prior here: {self}")
        return self.priors[self.unions.index(wanted)]

    def __contains__(self, union: Classes) -> bool:
        """Whether a class or union has a prior, in any order of the classes; one that does not exist is refused."""
        return _as_union(union, self.classes) in self.unions

    __iter__ = None  # or Python would ask for the priors of 0, 1, 2 and so on

    def as_dict(self) -> dict[Classes, BettiPrior]:
        """The entries as the argument ``priors`` takes them.

        Examples:
            >>> priors = ClassPriors({1: (1, 0)}, classes=("BG", "organ"))
            >>> ClassPriors({**priors.as_dict(), "BG": (1, 1)}, classes=priors.classes)
            ClassPriors({'BG': BettiPrior(1, 1), 'organ': BettiPrior(1, 0)}, classes=('BG', 'organ'))
        """
        entries: dict[Classes, BettiPrior] = {}
        for union, prior in zip(self.unions, self.priors, strict=True):
            names = tuple(self.classes[k] for k in union)
            entries[names[0] if len(names) == 1 else names] = prior
        return entries

    def without(self, *absent: Class) -> ClassPriors:
        """The same knowledge for an image in which some classes do not occur.

        Their priors become "no component"; unions with them are left out, they have the numbers of the rest.

        Examples:
            >>> print(ClassPriors({1: (1, 0), 2: (1, 1), (1, 2): (1, 1)}, classes=3).without(1))
            1 0,0; 2 1,1
        """
        gone = {_as_index(name, self.classes) for name in absent}
        nothing = BettiPrior(*(0,) * self.dimensions)
        kept: dict[Classes, Numbers] = {
            union: prior for union, prior in zip(self.unions, self.priors, strict=True) if not gone & set(union)
        }
        return ClassPriors({**kept, **dict.fromkeys(sorted(gone), nothing)}, classes=self.classes)

    def check(self, *, construction: Construction = "T", boundary: Boundary = "background") -> Consistency:
        """What follows from these priors, which of them contradict each other, which unions have none.

        See `topoprior.priors.consistency` for what is looked at, and why it is true.

        Examples:
            >>> priors = ClassPriors({1: (1, 0), 2: (1, 0), (1, 2): (3, 0)}, classes=3)
            >>> print(priors.check())
            contradiction: 1+2 wants at least 3 components, but 1 and 2 together have at most 2
        """
        from topoprior.priors.consistency import consistency

        return consistency(self, construction, boundary)

    def is_satisfied_by(self, betti_numbers: Tensor) -> Tensor:
        """Which priors hold, shape ``(..., entry)``, for Betti numbers ``(..., entry, d)``."""
        rows = torch.as_tensor(betti_numbers)
        if rows.ndim < 2 or rows.shape[-2] != len(self.priors):
            raise ValueError(
                f"betti_numbers must have shape (..., {len(self.priors)}, {self.dimensions}), got {tuple(rows.shape)}"
            )
        return torch.stack([prior.is_satisfied_by(rows[..., k, :]) for k, prior in enumerate(self.priors)], -1)

    def __str__(self) -> str:
        return "; ".join(f"{name} {prior}" for name, prior in zip(self.names, self.priors, strict=True))

    def __repr__(self) -> str:
        return f"ClassPriors({self.as_dict()!r}, classes={self.classes!r})"


ClassPriorsLike: TypeAlias = ClassPriors | Sequence[ClassPriors]


def are_class_priors(prior: PriorLike | ClassPriorsLike) -> TypeIs[ClassPriorsLike]:
    """Whether priors are those of classes: one `ClassPriors`, or a sequence that starts with one."""
    if isinstance(prior, ClassPriors):
        return True
    return isinstance(prior, Sequence) and len(prior) > 0 and isinstance(prior[0], ClassPriors)


def resolve_class_priors(priors: ClassPriorsLike, batch: int, channels: int, spatial_axes: int) -> list[ClassPriors]:
    """One `ClassPriors` for each image of a batch.

    Raises:
        TypeError: If something is no `ClassPriors`.
        ValueError: If numbers of images, channels or axes do not fit, or the images have different classes.
    """
    each = [priors] * batch if isinstance(priors, ClassPriors) else _entries(priors)
    for one in each:
        if not isinstance(one, ClassPriors):
            raise TypeError(
                f"priors must be ClassPriors, or a sequence of them, got {type(one).__name__} in it: {one!r}"
            )
    if len(each) != batch:
        raise ValueError(f"priors must be one ClassPriors, or one per image: got {len(each)} for a batch of {batch}")
    for one in dict.fromkeys(each):
        if one.classes != each[0].classes:
            raise ValueError(f"all images must have the same classes, got {each[0].classes} and {one.classes}")
        if len(one.classes) != channels:
            raise ValueError(
                f"there must be one channel for each of the {len(one.classes)} classes {', '.join(one.classes)}, "
                f"got {channels} channels"
            )
        if one.dimensions != spatial_axes:
            raise ValueError(f"priors have {one.dimensions} Betti numbers but images have {spatial_axes} spatial axes")
    return each


def _entries(priors: object) -> list[ClassPriors]:
    if isinstance(priors, str) or not isinstance(priors, Sequence):
        raise TypeError(f"priors must be ClassPriors, or a sequence of them, got {type(priors).__name__}: {priors!r}")
    return list(priors)


def name_of(union: Iterable[int], classes: Sequence[str]) -> str:
    """The classes of a union, joined by plus signs."""
    return "+".join(classes[k] for k in union)


def _as_names(classes: object) -> tuple[str, ...]:
    if isinstance(classes, int) and not isinstance(classes, bool):
        classes = tuple(map(str, range(classes)))
    if isinstance(classes, str) or not isinstance(classes, Sequence):
        raise TypeError(f"classes must be the names of the channels, or their number, got {classes!r}")
    names = tuple(classes)
    for name in names:
        if not isinstance(name, str):
            raise TypeError(f"names of classes must be text, got {name!r}")
        if not name or name != name.strip() or set(name) & set("+;"):
            raise ValueError(
                f"the name of a class must be text without + or ; and without space around it, got {name!r}"
            )
    if len(names) < 2:
        raise ValueError(f"there must be at least 2 classes, background among them, got {len(names)}")
    if len(set(names)) < len(names):
        raise ValueError(f"names of classes must differ, got {names}")
    return names


def _as_union(key: object, names: tuple[str, ...]) -> tuple[int, ...]:
    members = key if isinstance(key, tuple) else (key,)
    union = sorted(_as_index(member, names) for member in members)
    if not union:
        raise ValueError("a union must have at least one class, got ()")
    if len(set(union)) < len(union):
        raise ValueError(f"a union must name each class once, got {key!r}")
    if len(union) == len(names):
        raise ValueError(f"a union of all classes is the whole image, whatever the prediction: no prior for {key!r}")
    return tuple(union)


def _as_index(member: object, names: tuple[str, ...]) -> int:
    if isinstance(member, str):
        if member not in names:
            raise ValueError(f"there is no class {member!r} among {', '.join(names)}")
        return names.index(member)
    if isinstance(member, bool) or not isinstance(member, int):
        raise TypeError(f"a class must be a name or the index of a channel, got {member!r}")
    if not 0 <= member < len(names):
        raise ValueError(f"there is no class {member} among {len(names)} classes, 0 to {len(names) - 1}")
    return member


def _as_prior(numbers: object, key: object) -> BettiPrior:
    if isinstance(numbers, str) or not isinstance(numbers, BettiPrior | Sequence):
        raise TypeError(f"the prior of {key!r} must be a tuple of Betti numbers or a BettiPrior, got {numbers!r}")
    prior = numbers if isinstance(numbers, BettiPrior) else BettiPrior(*numbers)
    if not any(prior.cares):
        raise ValueError(f"the prior of {key!r} asks for nothing: leave it out, got {prior!r}")
    return prior
