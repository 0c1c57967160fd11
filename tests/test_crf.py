import numpy as np
import pytest
import torch

from topoprior.baselines import DenseCRF


def slow_mean_field(probability, image, crf):
    """Mean-field inference with all pairs of pixels written out; image already scaled, shape (channel, *spatial)."""
    spacing = crf.spacing or (1.0,) * probability.ndim
    places = np.stack([axis.ravel() * size for axis, size in zip(np.indices(probability.shape), spacing, strict=True)])
    looks = image.reshape(len(image), -1)

    def squares(features):
        return ((features[:, :, None] - features[:, None, :]) ** 2).sum(0)

    near = np.exp(-squares(places) / (2 * crf.gaussian_sigma**2))
    alike = np.exp(-squares(places) / (2 * crf.bilateral_sigma**2) - squares(looks) / (2 * crf.intensity_sigma**2))
    kernel = 0
    for weight, pairs in ((crf.gaussian_weight, near), (crf.bilateral_weight, alike)):
        norm = np.sqrt(pairs.sum(1))
        kernel = kernel + weight * pairs / norm[:, None] / norm
    unary = np.log(np.stack((1 - probability.ravel(), probability.ravel())))
    q = np.exp(unary)
    for _ in range(crf.iterations):
        energy = unary + q @ kernel
        q = np.exp(energy - energy.max(0))
        q /= q.sum(0)
    return q[1].reshape(probability.shape)


def scene(shape, *, seed=0):
    """A box in noise: probability, image (two channels) and the box."""
    random = np.random.default_rng(seed)
    box = np.zeros(shape, dtype=bool)
    box[tuple(slice(n // 4, 3 * n // 4) for n in shape)] = True
    image = np.stack((box + random.normal(0, 0.2, shape), random.normal(0, 1, shape)))
    probability = np.clip(0.35 + 0.3 * box + random.normal(0, 0.2, shape), 0.02, 0.98)
    return probability, image, box


@pytest.mark.parametrize(
    ("shape", "spacing"),
    [((16, 13), None), ((16, 13), (1.0, 2.0)), ((6, 8, 7), (2.5, 1.0, 1.0)), ((60,), None)],
)
def test_nearly_the_mean_field_of_all_pairs(shape, spacing):
    """The lattice is an approximation: where the exact field is sure, the masks agree up to a few pixels."""
    probability, image, _ = scene(shape)
    crf = DenseCRF(2.0, 1.5, 3.0, 4.0, 0.8, spacing=spacing)
    scaled = (image - image.mean()) / image.std()
    expected = slow_mean_field(probability, scaled, crf)
    mask = crf(torch.from_numpy(probability)[None, None], image=torch.from_numpy(image)[None])[0, 0].numpy()
    sure = np.abs(expected - 0.5) > 0.2
    assert sure.mean() > 0.8
    assert ((probability >= 0.5) != (expected >= 0.5))[sure].mean() > 0.08  # it has something to do
    assert (mask != (expected >= 0.5))[sure].mean() < 0.03


def test_noise_goes_and_edges_of_the_image_stay():
    probability, image, box = scene((24, 30))
    mask = DenseCRF()(torch.from_numpy(probability)[None, None], image=torch.from_numpy(image[:1])[None])[0, 0].numpy()
    assert ((probability >= 0.5) != box).mean() > 0.15
    assert (mask != box).mean() < 0.02


def test_without_weights_the_mask_stays():
    probability = torch.rand(2, 1, 7, 9, generator=torch.Generator().manual_seed(0))
    probability[0, 0, 0, :3] = torch.tensor([0.0, 0.5, 1.0])
    mask = DenseCRF(gaussian_weight=0, bilateral_weight=0)(probability, image=torch.zeros(2, 1, 7, 9))
    assert mask.dtype == torch.bool
    assert torch.equal(mask, probability >= 0.5)


def test_the_scale_of_the_image_does_not_matter_nor_its_neighbours_in_the_batch():
    parts = [scene((15, 12), seed=seed) for seed in (0, 1)]
    probability = torch.from_numpy(np.stack([p for p, _, _ in parts]))[:, None]
    image = torch.from_numpy(np.stack([i for _, i, _ in parts]))
    crf = DenseCRF()
    both = crf(probability, image=image)
    assert torch.equal(crf(probability, image=image * 64 + 8), both)
    assert torch.equal(crf(probability[1:], image=image[1:]), both[1:])
    assert torch.equal(crf(probability, image=image), both)


def test_spacing_stretches_the_reach():
    """Two columns of opposite opinion far apart in millimetres do not outvote each other."""
    probability = torch.full((1, 1, 20, 2), 0.7)
    probability[..., 1] = 0.45
    image = torch.zeros_like(probability)
    together = DenseCRF(gaussian_sigma=2.0, bilateral_weight=0.0)(probability, image=image)
    apart = DenseCRF(gaussian_sigma=2.0, bilateral_weight=0.0, spacing=(1.0, 50.0))(probability, image=image)
    assert together.all()
    assert torch.equal(apart, probability >= 0.5)


def test_fitted_to_finds_the_best_of_the_grid():
    parts = [scene((16, 18), seed=seed) for seed in range(3)]
    probability = torch.from_numpy(np.stack([p for p, _, _ in parts]))[:, None]
    image = torch.from_numpy(np.stack([i[:1] for _, i, _ in parts]))
    labels = torch.from_numpy(np.stack([b for _, _, b in parts]))[:, None]
    grid = {"gaussian_weight": (0.0, 2.0), "bilateral_weight": (0.0, 3.0)}
    seen = []
    start = DenseCRF(iterations=3, spacing=(1.0, 1.0))
    fitted = start.fitted_to(probability, image, labels, grid=grid, progress=lambda *step: seen.append(step))
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert (fitted.iterations, fitted.spacing) == (3, (1.0, 1.0))

    def dice(gaussian, bilateral):
        crf = DenseCRF(gaussian_weight=gaussian, bilateral_weight=bilateral, iterations=3)
        mask = crf(probability, image=image)
        overlap = 2 * (mask & labels).flatten(1).sum(1) / (mask.flatten(1).sum(1) + labels.flatten(1).sum(1))
        return overlap.mean().item()

    scores = {(g, b): dice(g, b) for g in (0.0, 2.0) for b in (0.0, 3.0)}
    assert len(set(scores.values())) == 4
    assert (fitted.gaussian_weight, fitted.bilateral_weight) == max(scores, key=scores.get)
    assert max(scores, key=scores.get) != (0.0, 0.0)


def test_of_equal_results_the_first_counts():
    sure = torch.zeros(1, 1, 6, 7)
    sure[..., 2:4, 2:5] = 1
    fitted = DenseCRF().fitted_to(sure, sure, sure == 1, grid={"bilateral_weight": (0.3, 0.2, 0.1)})
    assert fitted.bilateral_weight == 0.3


def test_refuses_bad_options():
    with pytest.raises(ValueError, match="gaussian_weight must be finite and at least 0, got -1"):
        DenseCRF(gaussian_weight=-1)
    with pytest.raises(ValueError, match="intensity_sigma must be finite and more than 0, got 0"):
        DenseCRF(intensity_sigma=0)
    with pytest.raises(ValueError, match="bilateral_sigma must be finite and more than 0, got inf"):
        DenseCRF(bilateral_sigma=float("inf"))
    with pytest.raises(TypeError, match="gaussian_sigma must be a number, got '3'"):
        DenseCRF(gaussian_sigma="3")
    with pytest.raises(TypeError, match=r"iterations must be a whole number, got 5\.0"):
        DenseCRF(iterations=5.0)
    with pytest.raises(ValueError, match="iterations must be at least 1, got 0"):
        DenseCRF(iterations=0)
    with pytest.raises(ValueError, match="spacing must be finite and more than 0, got -1"):
        DenseCRF(spacing=(1, -1))
    with pytest.raises(TypeError, match="spacing must be one number per spatial axis, or None, got 2"):
        DenseCRF(spacing=2)


def test_refuses_images_that_do_not_fit():
    probability = torch.full((2, 1, 4, 5), 0.5)
    with pytest.raises(ValueError, match="image must be given: a CRF compares the intensities of pixels, got None"):
        DenseCRF()(probability)
    with pytest.raises(ValueError, match=r"got \(2, 1, 5, 4\) for \(2, 1, 4, 5\)"):
        DenseCRF()(probability, image=torch.zeros(2, 1, 5, 4))
    with pytest.raises(ValueError, match="image must hold finite values, got nan"):
        DenseCRF()(probability, image=torch.full((2, 1, 4, 5), float("nan")))
    with pytest.raises(ValueError, match=r"spacing must have one number per spatial axis, 2, got \(1.0,\)"):
        DenseCRF(spacing=(1.0,))(probability, image=torch.zeros(2, 1, 4, 5))
    with pytest.raises(ValueError, match="one channel"):
        DenseCRF()(torch.zeros(1, 2, 4, 5), image=torch.zeros(1, 1, 4, 5))


def test_fitted_to_refuses_a_bad_grid_and_labels_that_do_not_fit():
    probability = torch.full((1, 1, 4, 5), 0.5)
    with pytest.raises(ValueError, match=r"grid must give at least one value .* got \{'strength': \(1,\)\}"):
        DenseCRF().fitted_to(probability, probability, probability > 0, grid={"strength": (1,)})
    with pytest.raises(ValueError, match="grid must give at least one value"):
        DenseCRF().fitted_to(probability, probability, probability > 0, grid={})
    with pytest.raises(ValueError, match="grid must give at least one value"):
        DenseCRF().fitted_to(probability, probability, probability > 0, grid={"iterations": ()})
    with pytest.raises(ValueError, match="same shape"):
        DenseCRF().fitted_to(probability, probability, probability[:, 0] > 0)
