"""Whether cases and settings fit together, before any training starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from topoprior.baselines.post_processing import post_processing
from topoprior.training.objectives import prior_loss

if TYPE_CHECKING:
    from topoprior.training.cases import Cases
    from topoprior.training.settings import Method, TrainingSettings


def check_cases(
    settings: TrainingSettings,
    stages: tuple[Method, ...],
    labelled: Cases,
    validation: Cases,
    unlabelled: Cases | None,
) -> int:
    """The number of classes, if the cases can be trained on.

    Raises:
        ValueError: If labels are missing, shapes or channels differ, a class never occurs among the labelled cases or
            the validation cases have one that these do not, unlabelled cases are missing, priors are missing or cannot
            be reached, or the post-processing is unknown or does not fit.
    """
    for name, cases in (("labelled", labelled), ("validation", validation)):
        if cases.labels is None:
            raise ValueError(f"the {name} cases must have labels, got none")
    classes = _classes(labelled, validation)
    if len(stages) > ("supervised" in stages) and unlabelled is None:
        raise ValueError(f"method {settings.method} needs unlabelled cases, got none")
    wanted = (labelled.images.shape[1], len(labelled.spatial))
    others = {"validation": validation} | ({"unlabelled": unlabelled} if unlabelled is not None else {})
    for name, other in others.items():
        got = (other.images.shape[1], len(other.spatial))
        if got != wanted:
            raise ValueError(
                f"the {name} cases must have the channels and axes of the labelled ones, (channels, axes) = {wanted}, "
                f"got {got}"
            )
    if validation.priors is not None:
        _check_priors("validation", validation, settings, classes)
    if stages[-1].endswith("prior"):
        assert unlabelled is not None
        _check_priors("unlabelled", unlabelled, settings, classes)
        if settings.prior.keep == "topology" and validation.priors is None:
            raise ValueError(
                "keep: topology chooses by the topological loss of the validation cases, which have no priors: "
                "give them some, or keep: dice or last"
            )
    post = post_processing(settings.post_processing)
    if classes > 1 and post.name != "none":
        raise ValueError(f"post-processing {post.name} acts on one class, got {classes} classes")
    return classes


def check_shares(settings: TrainingSettings, stages: tuple[Method, ...]) -> None:
    """Refuse batches that the processes cannot share equally.

    Raises:
        ValueError: If a batch size is no multiple of the number of devices.
    """
    devices = settings.hardware.devices
    for stage in stages:
        part = {"supervised": settings.supervised, "prior": settings.prior}.get(stage, settings.pseudo_labels)
        for name in ("batch_size", "unlabelled_batch_size"):
            size = getattr(part, name, devices)
            if size % devices:
                raise ValueError(f"{name} of {stage} must be a multiple of the {devices} devices, got {size}")


def _classes(labelled: Cases, validation: Cases) -> int:
    """The number K of classes; each of 1 to K occurs in the labels."""
    assert labelled.labels is not None
    assert validation.labels is not None
    seen = set(torch.unique(labelled.labels).tolist()) - {0}
    if not seen:
        raise ValueError("the labelled cases must have a class other than background (0), got only background")
    classes: int = max(seen)
    absent = [k for k in range(1, classes) if k not in seen]
    if absent:
        raise ValueError(f"class {absent[0]} never occurs in the labelled cases, which have classes {sorted(seen)}")
    beyond = sorted(set(torch.unique(validation.labels).tolist()) - seen - {0})
    if beyond:
        raise ValueError(f"class {beyond[0]} occurs in the validation cases but never in the labelled ones")
    return classes


def _check_priors(name: str, cases: Cases, settings: TrainingSettings, classes: int) -> None:
    """Refuse priors by what the loss itself would say of them, on an image of one pixel."""
    options = settings.prior
    try:
        cases.check_priors(classes, options.boundary)
        assert cases.priors is not None
        for priors in dict.fromkeys(cases.priors):
            prior_loss(torch.full((1, classes + 1, *[1] * len(cases.spatial)), 1 / (classes + 1)), [priors], options, 1)
    except ValueError as error:
        raise ValueError(f"{name} cases: {error}") from error
