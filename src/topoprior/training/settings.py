"""What a training run can be told: plain data, read from a configuration file or the command line. Imports no torch.

Batch sizes are those of one step over all processes together; each process takes an equal share. A step is one update
of the weights from labelled images; in the phase with the prior it goes with one from unlabelled images.
"""

from dataclasses import dataclass, field
from math import isfinite
from typing import Any, Literal, get_args

Method = Literal["supervised", "prior", "pseudo-labels", "pseudo-labels+prior"]
Objective = Literal["dice", "ce", "dice+ce"]
Schedule = Literal["constant", "cosine"]
Keep = Literal["dice", "topology", "last"]


@dataclass(frozen=True, kw_only=True)
class NetworkSettings:
    """The network that is trained.

    Attributes:
        channels: Features per level of the U-net; each further level halves the sides.
        residual_units: Per level; 0 gives plain convolutions.
        factory: ``module:function`` instead of the U-net: called with ``spatial_dims``, ``in_channels`` and
            ``out_channels`` by name, it returns an ``nn.Module`` that gives logits of the image's size.
    """

    channels: tuple[int, ...] = (16, 32, 64, 128)
    residual_units: int = 2
    factory: str | None = None

    def __post_init__(self) -> None:
        if self.factory is not None:
            module, _, function = self.factory.partition(":")
            _check("factory", self.factory, bool(module and function), "of the form module:function")


@dataclass(frozen=True, kw_only=True)
class SupervisedSettings:
    """The phase on labelled images.

    Attributes:
        loss: ``dice``; ``ce``, cross-entropy (binary with one class); or ``dice+ce``, their sum.
        steps: The largest number of them.
        batch_size: Labelled images per step.
        learning_rate: Of AdamW, at its highest.
        weight_decay: Of AdamW.
        schedule: ``cosine`` warms up over a twentieth of the steps and then falls to 0; ``constant`` does neither.
        validate_every: Steps between two looks at the validation images.
        patience: Looks without a better Dice after which the phase ends; the best state is kept.
    """

    loss: Objective = "dice+ce"
    steps: int = 1000
    batch_size: int = 8
    learning_rate: float = 3e-3
    weight_decay: float = 1e-4
    schedule: Schedule = "cosine"
    validate_every: int = 50
    patience: int = 10

    def __post_init__(self) -> None:
        _check_word("loss", self.loss, get_args(Objective))
        _check_phase(self)


@dataclass(frozen=True, kw_only=True)
class PriorSettings:
    """The phase with the prior: labelled and unlabelled images in every step (equation 6 of Clough et al. 2022).

    Attributes:
        loss: On labelled images, as in the supervised phase.
        weight: Lambda: what the topological loss, the mean over the unlabelled batch, is multiplied by.
        combine: ``sum``: one update for the sum of both losses, which is equation 6; ``alternate``: one update for
            each of them, by turns.
        steps: The largest number of them.
        batch_size: Labelled images per step.
        unlabelled_batch_size: Unlabelled images per step.
        learning_rate: Of AdamW, at its highest.
        weight_decay: Of AdamW.
        schedule: As in the supervised phase.
        validate_every: Steps between two looks at the validation images.
        patience: Looks without a better value of what is kept after which the phase ends.
        keep: Which state is kept: where the validation images have the lowest topological loss (``topology``), the
            highest Dice (``dice``), or the ``last``, which looks at neither and does not end early.
        construction: ``T``: pixels connect through corners (8 / 26); ``V``: through faces (4 / 6).
        boundary: What lies outside the image, ``background`` or ``foreground``.
        power: Exponent of the bar lengths, 2 (the paper) or 1.
        essential: ``finite``: the component that never dies counts (the paper's footnote 1); ``drop``: it does not.
        max_bars: Only the longest bars of each dimension enter the loss; none for all.
        downsample: For volumes: blocks of so many pixels along each axis become one, in the loss only.
        pooling: Of such a block: its ``max`` or its ``average``.
        region: For volumes: the loss looks at the box of what has at least this probability; none for all of it.
        min_persistence: Unwanted bars shorter than this are left out of the loss.
    """

    loss: Objective = "dice+ce"
    weight: float = 0.1
    combine: Literal["sum", "alternate"] = "sum"
    steps: int = 500
    batch_size: int = 8
    unlabelled_batch_size: int = 8
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    schedule: Schedule = "cosine"
    validate_every: int = 50
    patience: int = 10
    keep: Keep = "topology"
    construction: Literal["T", "V"] = "T"
    boundary: Literal["background", "foreground"] = "background"
    power: Literal[1, 2] = 2
    essential: Literal["finite", "drop"] = "finite"
    max_bars: int | None = None
    downsample: int = 1
    pooling: Literal["max", "average"] = "max"
    region: float | None = None
    min_persistence: float = 0.0

    def __post_init__(self) -> None:
        _check_word("loss", self.loss, get_args(Objective))
        _check_word("combine", self.combine, ("sum", "alternate"))
        _check_word("keep", self.keep, get_args(Keep))
        _check_word("construction", self.construction, ("T", "V"))
        _check_word("boundary", self.boundary, ("background", "foreground"))
        _check_word("power", self.power, (1, 2))
        _check_word("essential", self.essential, ("finite", "drop"))
        _check("weight", self.weight, self.weight > 0, "greater than 0 (method: supervised trains without the prior)")
        _check_finite("weight", self.weight)
        _check_count("unlabelled_batch_size", self.unlabelled_batch_size)
        if self.max_bars is not None:
            _check_count("max_bars", self.max_bars)
        _check_count("downsample", self.downsample)
        _check_word("pooling", self.pooling, ("max", "average"))
        if self.region is not None:
            _check("region", self.region, 0 < self.region <= 1, "greater than 0 and at most 1")
        least = self.min_persistence
        _check("min_persistence", least, 0 <= least < 1, "at least 0 and less than 1")
        _check_phase(self)


@dataclass(frozen=True, kw_only=True)
class PseudoLabelSettings:
    """Bootstrapping: the network's predictions on unlabelled images become their labels, round after round.

    Attributes:
        rounds: How often the unlabelled images are labelled anew, by the best state of the round before.
        labels: ``hard``: the most probable class; ``soft``: the probabilities.
        confidence: Pixels whose most probable class is less probable are left out of the loss; 0 keeps all.
        restart: Begin each round from fresh weights instead of those of the round before.
        loss: On labelled and pseudo-labelled images.
        steps: The largest number of them in a round.
        batch_size: Labelled images per step.
        unlabelled_batch_size: Pseudo-labelled images per step.
        learning_rate: Of AdamW, at its highest.
        weight_decay: Of AdamW.
        schedule: As in the supervised phase.
        validate_every: Steps between two looks at the validation images.
        patience: Looks without a better Dice after which a round ends; the best state is kept.
    """

    rounds: int = 3
    labels: Literal["hard", "soft"] = "hard"
    confidence: float = 0.0
    restart: bool = False
    loss: Objective = "dice+ce"
    steps: int = 300
    batch_size: int = 8
    unlabelled_batch_size: int = 8
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    schedule: Schedule = "cosine"
    validate_every: int = 50
    patience: int = 10

    def __post_init__(self) -> None:
        _check_count("rounds", self.rounds)
        _check_word("labels", self.labels, ("hard", "soft"))
        _check("confidence", self.confidence, 0 <= self.confidence < 1, "at least 0 and less than 1")
        _check_word("loss", self.loss, get_args(Objective))
        _check_count("unlabelled_batch_size", self.unlabelled_batch_size)
        _check_phase(self)


@dataclass(frozen=True, kw_only=True)
class AugmentationSettings:
    """Random changes of the training images, drawn anew at each step; 0 everywhere switches it off.

    Attributes:
        rotation: Degrees, up to so many either way; of volumes about each axis.
        scale: Larger or smaller by up to this share.
        shift: Along each axis, by up to this share of the side.
        flip: Mirror each axis with probability one half: only where left and right are alike.
        contrast: Standard deviation of the factor on intensities.
        brightness: Standard deviation of what is added to an image; images have standard deviation 1 by default.
        noise: Standard deviation of what is added to each pixel.
    """

    rotation: float = 45.0
    scale: float = 0.15
    shift: float = 0.075
    flip: bool = False
    contrast: float = 0.2
    brightness: float = 0.2
    noise: float = 0.05

    def __post_init__(self) -> None:
        for name in ("rotation", "scale", "shift", "contrast", "brightness", "noise"):
            _check(name, getattr(self, name), getattr(self, name) >= 0, "at least 0")
            _check_finite(name, getattr(self, name))


@dataclass(frozen=True, kw_only=True)
class HardwareSettings:
    """Where the training runs, in the words of Lightning Fabric.

    Attributes:
        device: ``auto`` takes a GPU if there is one.
        devices: How many; with several each is a process of its own (distributed data parallel).
        precision: ``32-true``, ``bf16-mixed`` or ``16-mixed``. The topological loss is always computed in float32.
        threads: Of the persistence engine in each process; none for as many as torch uses.
    """

    device: Literal["auto", "cpu", "cuda"] = "auto"
    devices: int = 1
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "32-true"
    threads: int | None = None

    def __post_init__(self) -> None:
        _check_word("device", self.device, ("auto", "cpu", "cuda"))
        _check_count("devices", self.devices)
        _check_word("precision", self.precision, ("32-true", "bf16-mixed", "16-mixed"))
        if self.threads is not None:
            _check_count("threads", self.threads)


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """A whole training run.

    Attributes:
        method: ``supervised``: labelled images only. ``prior``: then with unlabelled images and the prior.
            ``pseudo-labels``: then with the network's own predictions as labels of the unlabelled images.
            ``pseudo-labels+prior``: then with both at once.
        post_processing: What predictions go through: its ``name``, ``none``, ``closing``, ``components`` or ``crf``,
            and its parameters. A ``crf`` without parameters is fitted to the validation images.
        seed: Of every random choice: first weights, order of images, augmentation.
        network: The network.
        supervised: The first phase, which every method begins with.
        prior: The phase of method ``prior``.
        pseudo_labels: The rounds of the methods with pseudo-labels; with the prior too, its weight, its conventions
            and what it keeps are those of ``prior``.
        augmentation: Of all training images.
        hardware: Where it runs.
    """

    method: Method = "supervised"
    post_processing: dict[str, Any] = field(default_factory=lambda: {"name": "none"})
    seed: int = 0
    network: NetworkSettings = field(default_factory=NetworkSettings)
    supervised: SupervisedSettings = field(default_factory=SupervisedSettings)
    prior: PriorSettings = field(default_factory=PriorSettings)
    pseudo_labels: PseudoLabelSettings = field(default_factory=PseudoLabelSettings)
    augmentation: AugmentationSettings = field(default_factory=AugmentationSettings)
    hardware: HardwareSettings = field(default_factory=HardwareSettings)

    def __post_init__(self) -> None:
        _check_word("method", self.method, get_args(Method))
        _check_whole("seed", self.seed)
        _check("seed", self.seed, 0 <= self.seed < 2**31, "at least 0 and less than 2^31")


def _check_phase(phase: SupervisedSettings | PriorSettings | PseudoLabelSettings) -> None:
    _check_word("schedule", phase.schedule, get_args(Schedule))
    for name in ("steps", "batch_size", "validate_every", "patience"):
        _check_count(name, getattr(phase, name))
    _check("learning_rate", phase.learning_rate, phase.learning_rate > 0, "greater than 0")
    _check("weight_decay", phase.weight_decay, phase.weight_decay >= 0, "at least 0")
    for name in ("learning_rate", "weight_decay"):
        _check_finite(name, getattr(phase, name))


def _check_word(name: str, value: object, words: tuple[object, ...]) -> None:
    _check(name, value, value in words, f"one of {', '.join(map(str, words))}")


def _check_count(name: str, value: int) -> None:
    _check_whole(name, value)
    _check(name, value, value >= 1, "at least 1")


def _check_whole(name: str, value: object) -> None:
    _check(name, value, isinstance(value, int) and not isinstance(value, bool), "a whole number")


def _check_finite(name: str, value: float) -> None:
    _check(name, value, isfinite(value), "finite")


def _check(name: str, value: object, right: bool, rule: str) -> None:
    if not right:
        raise ValueError(f"{name} must be {rule}, got {value!r}")
