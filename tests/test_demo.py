import json

import numpy as np
import pytest
import torch

import topoprior as tp
from topoprior.experiments import demo

TINY = {"training_images": 8, "training_steps": 25, "batch_size": 4, "channels": (4, 8, 16), "test_images": 2}
FILES = {"report.html", "results.json", "network.json", "network.safetensors", "image.npy", "target.npy"} | {
    f"{kind}{when}.npy" for kind in ("", "mask_") for when in ("before", "after")
}


def run(folder, **options):
    # Few steps suffice to see that everything is written; whether it helps is seen in the full demo.
    return demo.run(folder, **{**TINY, "refinement_steps": 15, **options})


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo") / "new" / "out"
    events = []
    return folder, run(folder, progress=lambda *event: events.append(event)), events


def without_times(results):
    return [{key: value for key, value in case.items() if key != "seconds"} for case in results["cases"]]


def test_everything_is_written_and_nothing_else(finished):
    folder, results, _ = finished
    assert {file.name for file in folder.iterdir()} == FILES
    assert [file.name for file in folder.parent.iterdir()] == ["out"]
    assert json.loads((folder / "results.json").read_text()) == json.loads(json.dumps(results))


def test_the_numbers_are_those_of_the_masks(finished):
    folder, results, _ = finished
    target = torch.from_numpy(np.load(folder / "target.npy"))[:, None]
    assert target.shape == (2, 1, 64, 64)
    for when in ("before", "after"):
        probability = np.load(folder / f"{when}.npy")
        mask = np.load(folder / f"mask_{when}.npy")
        np.testing.assert_array_equal(mask, probability >= 0.5)
        stack = torch.from_numpy(mask)[:, None]
        betti = tp.betti_numbers(stack)[:, 0]
        assert betti.tolist() == [list(case[f"betti_{when}"]) for case in results["cases"]]
        right = (betti == torch.tensor([1, 1])).all(1).double().mean().item()
        assert results[when]["topological_success"] == right
        assert results[when]["dice"] == pytest.approx(tp.metrics.dice(stack, target).mean().item())


def test_every_image_counts_and_none_was_trained_on(finished):
    folder, results, _ = finished
    assert len(results["cases"]) == 2
    first, second = demo.seeds(demo.Settings())
    assert first != second
    test_images, targets = tp.phantoms.ring_segmentation(2, seed=second)
    np.testing.assert_array_equal(np.load(folder / "image.npy"), test_images[:, 0])
    np.testing.assert_array_equal(np.load(folder / "target.npy"), targets[:, 0])


def test_the_network_gives_the_probabilities_before(finished):
    folder, _, _ = finished
    loaded = tp.networks.load(folder / "network.safetensors")
    image = torch.from_numpy(np.load(folder / "image.npy"))[:1, None]
    with torch.no_grad():
        probability = torch.sigmoid(loaded.network(loaded.normalise(image)))
    np.testing.assert_allclose(probability[0, 0].numpy(), np.load(folder / "before.npy")[0], atol=1e-6)


def test_progress_is_told(finished):
    _, _, events = finished
    assert events[0] == ("training", 1, 25)
    assert ("refining", 2, 2) in events
    assert events[-1] == ("writing the report", 1, 1)


def test_the_same_seed_gives_the_same_numbers(finished, tmp_path):
    _, results, _ = finished
    torch.manual_seed(123)  # a state that the first run did not start from
    generator = torch.random.get_rng_state()
    again = run(tmp_path / "out")
    assert torch.equal(generator, torch.random.get_rng_state())
    assert without_times(again) == without_times(results)
    assert again["before"] == results["before"]


def test_the_number_of_threads_changes_nothing_and_is_left_alone(finished, tmp_path):
    _, results, _ = finished
    used = set()
    before = torch.get_num_threads()
    torch.set_num_threads(before + 1)
    try:
        again = run(tmp_path / "out", progress=lambda *_: used.add(torch.get_num_threads()))
        assert torch.get_num_threads() == before + 1
    finally:
        torch.set_num_threads(before)
    assert used == {1}
    assert without_times(again) == without_times(results)


def test_another_seed_gives_others(finished, tmp_path):
    _, results, _ = finished
    assert without_times(run(tmp_path, seed=1)) != without_times(results)


def test_a_folder_in_use_is_refused_and_left_alone(tmp_path):
    (tmp_path / "results.json").write_text("mine")
    (tmp_path / "notes.txt").write_text("mine too")
    with pytest.raises(FileExistsError, match="is not empty"):
        run(tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == {"results.json", "notes.txt"}
    run(tmp_path, overwrite=True)
    assert {file.name for file in tmp_path.iterdir()} == FILES | {"notes.txt"}
    assert (tmp_path / "results.json").read_text() != "mine"


def test_a_run_that_fails_leaves_nothing(tmp_path):
    def fail(what, done, of):
        if what == "refining":
            raise RuntimeError("the disk is full")

    with pytest.raises(RuntimeError, match="the disk is full"):
        run(tmp_path / "out", progress=fail)
    assert list(tmp_path.iterdir()) == []


def test_bad_arguments(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(NotADirectoryError, match="is a file"):
        run(tmp_path / "file")
    with pytest.raises(ValueError, match="training_steps must be at least 1, got 0"):
        run(tmp_path / "out", training_steps=0)
    with pytest.raises(ValueError, match="seed must be at least 0, got -1"):
        run(tmp_path / "out", seed=-1)
    with pytest.raises(TypeError, match="epochs"):
        run(tmp_path / "out", epochs=3)
    assert [file.name for file in tmp_path.iterdir()] == ["file"]
