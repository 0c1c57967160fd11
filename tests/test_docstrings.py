"""The examples in the docstrings of every module run, and there are some."""

import doctest
import importlib
import pkgutil

import pytest

import topoprior

MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(topoprior.__path__, "topoprior.")
    if not module.name.endswith(("._core", ".__main__"))
)
# The public front doors must each show an example.
WITH_EXAMPLES = {
    "topoprior.doctor.diagnosis",
    "topoprior.doctor.log",
    "topoprior.doctor.network",
    "topoprior.evaluation.aggregate",
    "topoprior.evaluation.class_topology",
    "topoprior.evaluation.connectivity",
    "topoprior.evaluation.cumulative",
    "topoprior.evaluation.distances",
    "topoprior.evaluation.metrics",
    "topoprior.evaluation.score",
    "topoprior.evaluation.skeleton",
    "topoprior.evaluation.statistics",
    "topoprior.imaging.phantoms.figure1",
    "topoprior.imaging.phantoms.ring_segmentation",
    "topoprior.imaging.phantoms.random_field",
    "topoprior.imaging.phantoms.short_axis",
    "topoprior.imaging.phantoms.ultrasound",
    "topoprior.imaging.phantoms.volumes",
    "topoprior.integrations.lightning.metrics",
    "topoprior.integrations.monai.dictionary",
    "topoprior.integrations.monai.transforms",
    "topoprior.integrations.sklearn",
    "topoprior.losses.betti_prior_loss",
    "topoprior.losses.class_prior_loss",
    "topoprior.losses.functional",
    "topoprior.priors.betti_prior",
    "topoprior.priors.class_priors",
    "topoprior.priors.presets",
    "topoprior.refinement.network",
    "topoprior.refinement.probability_map",
    "topoprior.topology.betti",
    "topoprior.topology.diagram",
    "topoprior.topology.exchange",
    "topoprior.training.fitting",
}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of MONAI, when a network is made
@pytest.mark.parametrize("name", MODULES)
def test_examples_of(name):
    result = doctest.testmod(importlib.import_module(name), optionflags=doctest.NORMALIZE_WHITESPACE)
    assert result.failed == 0
    assert result.attempted > 0 or name not in WITH_EXAMPLES


def test_every_front_door_is_a_module():
    assert set(MODULES) >= WITH_EXAMPLES
