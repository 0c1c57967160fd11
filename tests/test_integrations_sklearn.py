"""The transformer is one of scikit-learn's: parameters, clones, pipelines, grid searches."""

import subprocess
import sys

import gudhi.representations
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils import estimator_checks

import topoprior as tp
from topoprior.integrations.sklearn import CubicalPersistence
from topoprior.topology.exchange import to_arrays, to_table


def rings_and_discs(count, size=12):
    """Half rings, half discs, the hole being dark enough or not; and which is which."""
    random = np.random.default_rng(0)
    y, x = np.mgrid[:size, : size + 1]
    radius = np.hypot(y - size // 2, x - size // 2)
    kind = np.arange(count) % 2
    clean = np.where(radius < 5, 0.8, 0.1) - 0.6 * (radius < 2) * kind[:, None, None]
    return np.clip(clean + 0.05 * random.standard_normal(clean.shape), 0, 1), kind


MAPS, KIND = rings_and_discs(12)


def test_the_forms_are_those_of_the_diagrams():
    diagrams = tp.persistence(MAPS[:, None], construction="V")
    for form, wanted in (("arrays", to_arrays(diagrams)), ("table", to_table(diagrams))):
        found = CubicalPersistence(form=form, construction="V").fit_transform(MAPS)
        assert len(found) == 12
        for one, other in zip(found, wanted, strict=True):
            for left, right in zip(one, other, strict=True):
                assert np.array_equal(left, right)
    loops = CubicalPersistence(dimensions=1, construction="V").fit_transform(MAPS)
    assert all(np.array_equal(one, image[1]) for one, image in zip(loops, to_arrays(diagrams), strict=True))
    counts = CubicalPersistence(form="betti", levels=(0.5, 0.9), construction="V").fit_transform(MAPS)
    expected = np.stack([diagrams.betti_numbers(p)[:, 0].numpy() for p in (0.5, 0.9)], 2).reshape(12, 4)
    assert np.array_equal(counts, expected)
    assert counts[:, 2].tolist() == KIND.tolist()  # one loop at 0.5 in rings, none in discs


def test_rows_of_pixels_are_images_too():
    rows = MAPS.reshape(12, -1)
    found = CubicalPersistence(1, form="table", image_shape=(12, 13)).fit_transform(rows)
    assert np.array_equal(found, CubicalPersistence(1, form="table").fit_transform(MAPS))
    assert set(found[..., 2].ravel()) == {1}


def test_a_grid_search_over_a_pipeline_learns_what_a_ring_is():
    betti = make_pipeline(CubicalPersistence(form="betti"), LogisticRegression())
    search = GridSearchCV(betti, {"cubicalpersistence__levels": [(0.99,), (0.5,)]}, cv=3).fit(MAPS, KIND)
    assert search.best_params_ == {"cubicalpersistence__levels": (0.5,)}
    assert search.score(MAPS, KIND) == 1


def test_it_feeds_the_representations_of_gudhi():
    pipeline = make_pipeline(
        CubicalPersistence(dimensions=1),
        gudhi.representations.PersistenceImage(bandwidth=0.1, resolution=[4, 4], im_range=[0, 1, 0, 1]),
        LogisticRegression(C=1e3),
    )
    assert pipeline.fit(MAPS, KIND).score(MAPS, KIND) == 1


def test_parameters_as_scikit_learn_wants_them():
    transformer = CubicalPersistence(0, values="p", levels=(0.3,))
    assert transformer.get_params()["values"] == "p"
    copy = clone(transformer).set_params(dimensions=1)
    assert (copy.dimensions, transformer.dimensions, copy.levels) == (1, 0, (0.3,))


# The other checks of check_estimator give tables of normal numbers, which are no probability maps.
@pytest.mark.parametrize(
    "check",
    [
        estimator_checks.check_no_attributes_set_in_init,
        estimator_checks.check_parameters_default_constructible,
        estimator_checks.check_get_params_invariance,
        estimator_checks.check_set_params,
        estimator_checks.check_estimator_cloneable,
        estimator_checks.check_estimator_repr,
    ],
)
def test_checks_of_scikit_learn(check):
    check("CubicalPersistence", CubicalPersistence())


@pytest.mark.parametrize(
    ("options", "images", "error", "message"),
    [
        ({}, MAPS.reshape(12, -1), ValueError, "for rows of pixels give image_shape"),
        ({"image_shape": (5, 5)}, MAPS.reshape(12, -1), ValueError, r"X must have shape \(images, 25\)"),
        ({}, KIND.reshape(1, 3, 4), TypeError, "X must hold floating point probabilities"),
        ({"form": "rows"}, MAPS, ValueError, "form must be one of"),
        ({"dimensions": 2}, MAPS, ValueError, r"dimensions must be some of \(0, 1\)"),
        ({}, 5 * MAPS, ValueError, "must hold probabilities"),
    ],
)
def test_what_does_not_fit_is_refused(options, images, error, message):
    with pytest.raises(error, match=message):
        CubicalPersistence(**options).fit_transform(images)


def test_scikit_learn_is_not_loaded_unasked():
    code = "import topoprior, sys; topoprior.persistence; print('sklearn' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "False"
