"""The fourth experiment on tiny volumes: resumable, patients kept whole, masks over the original volumes."""

import json
import shutil
from types import SimpleNamespace

import nibabel
import numpy as np
import pytest

from topoprior.experiments import placenta, trained_networks
from topoprior.experiments.placenta.figures import examples, shown, turnable
from topoprior.experiments.placenta.phantoms import PATIENT, write_phantom_volumes
from topoprior.experiments.placenta.refinement import WAYS
from topoprior.experiments.placenta.tables import PAPER_GAIN, aims_table, summary
from topoprior.experiments.placenta.training import Settings, folds_of
from topoprior.experiments.placenta.volumes import EACH, Volume, check_volumes, find_volumes, read_volume

TINY = Settings(
    folds=3,
    network="unet",
    steps=40,
    learning_rate=3e-2,
    validate_every=10,
    learning_rates=(1e-3,),
    max_steps=3,
)
AFFINE = np.array([[0, 0, -1.5, 7.0], [1.0, 0, 0, -3.0], [0, 2.0, 0, 5.0], [0, 0, 0, 1]])
RULE = r"(p\d)_"


def write_volume(data, name, *, shape, seed, value=1):
    """A bright ball in noise; its label."""
    random = np.random.default_rng(seed)
    grid = np.indices(shape).reshape(3, *shape)
    away = sum((grid[k] - shape[k] / 2 - random.uniform(-1, 1)) ** 2 for k in range(3))
    label = (away < (min(shape) / 3.2) ** 2).astype(np.uint8)
    image = label + 0.4 * random.normal(size=shape)
    for part, values in (("images", image.astype(np.float32)), ("labels", label * np.uint8(value))):
        (data / part).mkdir(parents=True, exist_ok=True)
        nibabel.save(nibabel.Nifti1Image(values, AFFINE), data / part / f"{name}.nii.gz")


def write_folder(data):
    for number in range(1, 4):
        for scan in range(2):
            shape = (10 + number, 14, 12 - scan)
            write_volume(data, f"p{number}_{scan}", shape=shape, seed=[number, scan], value=2 if scan else 1)
    return data


def run(folder, out, **options):
    options = {"source": "folder", "patients": RULE, "values": [1, 2], "device": "cpu", **options}
    return placenta.run(out, preset="paper", data=folder / "data", **options)


@pytest.fixture
def tiny(monkeypatch):
    monkeypatch.setitem(placenta.PRESETS, "paper", TINY)


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """One run that other tests look at."""
    folder = tmp_path_factory.mktemp("placenta")
    write_folder(folder / "data")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(placenta.PRESETS, "paper", TINY)
        results = run(folder, folder / "out")
    return folder, results


def documents(folder):
    return {file.stem: json.loads(file.read_text()) for file in (folder / "out" / "cells").glob("*.json")}


def test_every_volume_is_unseen_once_and_no_patient_is_parted(ran):
    folder, results = ran
    cells = documents(folder)
    folds = [cells[f"fold0{number}"]["cell"] for number in (1, 2, 3)]
    for fold in folds:
        patients = [{name[:2] for name in fold[part]} for part in ("training", "validation", "test")]
        assert sum(map(len, patients)) == len(set.union(*patients)) == 3
    assert sorted(name for fold in folds for name in fold["test"]) == [f"p{n}_{k}" for n in (1, 2, 3) for k in (0, 1)]
    for fold in folds:
        for name in fold["test"]:
            used = cells[f"volume_{name}"]["cell"]
            assert used["fold"] == fold["name"]
            assert used["patient"] == name[:2]
            assert used["weights"] == cells[fold["name"]]["result"]["weights"]
    assert (results["patients"], results["volumes"]) == (3, 6)
    assert list(results["settings"]["size"]) == [24, 24, 24]


def test_masks_lie_over_the_original_volumes_and_are_what_is_told(ran):
    folder, results = ran
    cells = documents(folder)
    for way in WAYS:
        overlaps, right = [], 0
        for number in (1, 2, 3):
            for scan in (0, 1):
                name = f"p{number}_{scan}"
                image = nibabel.load(folder / "data" / "images" / f"{name}.nii.gz")
                label = np.asarray(nibabel.load(folder / "data" / "labels" / f"{name}.nii.gz").dataobj) > 0
                mask = nibabel.load(folder / "out" / "predictions" / way / f"{name}.nii.gz")
                assert np.array_equal(mask.affine, image.affine)
                assert mask.shape == image.shape == (10 + number, 14, 12 - scan)
                assert mask.get_data_dtype() == np.uint8
                values = np.asarray(mask.dataobj)
                assert set(np.unique(values)) <= {0, 1}
                told = cells[f"volume_{name}"]["result"]
                overlaps.append(2 * (values & label).sum() / (values.sum() + label.sum()))
                assert told["ways"][way]["dice"] == pytest.approx(overlaps[-1])
                assert told["ways"][way]["right"] == (told["ways"][way]["betti"] == [1, 0, 0])
                assert told["label"] == [1, 0, 0]
                right += told["ways"][way]["right"]
                assert 0 < told["seconds"]["topology_per_step"] < 1
        assert results["summary"][way]["dice"] == pytest.approx(np.mean(overlaps))
        assert results["summary"][way]["right"] == right
    assert results["summary"]["guarantee"]["right"] == 6
    assert min(overlaps) > 0.5  # the networks have learnt something


def test_the_report_says_what_it_is(ran):
    folder, results = ran
    page = (folder / "out" / "report.html").read_text()
    for text in (
        f"+{PAPER_GAIN}",
        "which are private: these volumes are others",
        "What was to be reached",
        "Every fold",
    ):
        assert text in page
    assert "http" not in page.replace("http-equiv", "")
    changed = any(
        cell["result"]["voxels_changed"]["refine"] for cell in documents(folder).values() if "ways" in cell["result"]
    )
    assert ('class="volume"' in page) == changed
    assert results["table"][0]["Dice gain"] == "+0.024"


def test_killed_and_resumed(ran, tmp_path, tiny, monkeypatch):
    """A run that dies in a training and again among the volumes ends as one that was never stopped."""
    folder, results = ran
    out = tmp_path / "out"
    monkeypatch.setattr(placenta.experiment, "write_page", lambda *_, **__: None)  # takes long; is seen in `ran`

    def die_in_training(what, done, _of):
        if what == "training fold02" and done == 15:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(folder, out, progress=die_in_training)
    assert {file.stem for file in (out / "cells").glob("*.json")} == {"fold01"}
    begun = (out / "networks" / "fold02" / "metrics.jsonl").read_text()
    assert '"step": 10' in begun

    def die_among_volumes(what, done, _of):
        if what == "refining unseen volumes" and done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(folder, out, progress=die_among_volumes)
    assert (out / "networks" / "fold02" / "metrics.jsonl").read_text().startswith(begun)
    kept = {file: file.read_bytes() for file in (out / "cells").glob("volume*.json")}
    assert len(kept) == 2
    monkeypatch.setattr(trained_networks, "fit", None)  # nothing is left to train
    assert run(folder, out)["summary"] == results["summary"]
    assert all(file.read_bytes() == content for file, content in kept.items())


def test_other_settings_are_refused(ran, tiny):
    folder, _ = ran
    with pytest.raises(ValueError, match=r"fold01.json.* was computed with seed 0 \(now 1\)"):
        run(folder, folder / "out", seed=1)


def test_folds_are_even_and_whole():
    volumes = [
        Volume(f"{patient}_{scan}", str(patient), None, None, (1,))
        for patient in range(17)
        for scan in range(4 if patient else 3)
    ]
    found = folds_of(volumes, folds=13, seed=2)
    assert sorted(name for fold in found for name in fold.test) == sorted(volume.name for volume in volumes)
    assert {len(fold.test) for fold in found} <= {4, 7, 8}
    for fold in found:
        parts = [{name.split("_")[0] for name in part} for part in (fold.training, fold.validation, fold.test)]
        assert sum(map(len, parts)) == len(set.union(*parts)) == 17
    assert folds_of(volumes, folds=13, seed=2) == found != folds_of(volumes, folds=13, seed=3)
    with pytest.raises(ValueError, match="folds must be at least 3 and no more than the 17 patients, got 18"):
        folds_of(volumes, folds=18, seed=0)


def document(fold, patient, before, after, right):
    ways = {"network": {"dice": before, "right": False}, "refine": {"dice": after, "right": right}}
    return {"cell": {"fold": fold, "patient": patient}, "result": {"ways": ways}}


def test_numbers_of_a_summary():
    documents = [document("fold01", f"p{k}", 0.5, 0.5 + 0.01 * (k + 1), True) for k in range(6)]
    documents += [document("fold02", "q", 0.5, 0.4, False), document("fold02", "q", 0.5, 0.7, True)]
    found = summary(documents, "refine")
    assert found["fold_gains"] == pytest.approx({"fold01": 0.035, "fold02": 0.05})
    assert found["gain"] == pytest.approx((0.21 - 0.1 + 0.2) / 8)
    assert (found["folds_better"], found["folds_worse"]) == (2, 0)
    assert (found["volumes_better"], found["volumes_worse"]) == (7, 1)
    assert (found["right_before"], found["right"]) == (0, 7)
    assert found["p_over_volumes"] == pytest.approx(2 * 19 / 2**8)  # 19 sets of the ranks 1 to 8 have a sum up to 7
    assert found["p_over_patients"] == pytest.approx(2 / 2**7)  # one patient's two volumes are averaged
    [positive, worse, *_] = aims_table({"refine": found, "guarantee": found}).rows
    assert (positive[1], worse[1]) == ("no", "yes")


def test_phantoms_are_several_of_each_patient(tmp_path):
    place = write_phantom_volumes(tmp_path / "made", patients=2, volumes=3, shape=(24, 48, 52), seed=1)
    volumes = find_volumes(place, patients=PATIENT, values=(1,))
    assert [(one.name, one.patient) for one in volumes] == [
        ("patient01_1", "patient01"), ("patient01_2", "patient01"), ("patient02_1", "patient02"),
    ]  # fmt: skip
    assert check_volumes(volumes) == (52, 48, 24)
    (first, label), (second, other) = (read_volume(volume) for volume in volumes[:2])
    assert np.array_equal(label, other)
    assert not np.array_equal(first.array, second.array)
    assert first.spacing == (3.0, 3.0, 3.0)


def test_damaged_and_mismatched_files_are_refused_by_name(tmp_path):
    data = tmp_path / "data"
    write_volume(data, "p1_0", shape=(8, 9, 10), seed=1)
    [volume] = find_volumes(data, patients=EACH, values=(1,))
    image, label = data / "images" / "p1_0.nii.gz", data / "labels" / "p1_0.nii.gz"
    values = np.asarray(nibabel.load(label).dataobj)

    def refused(match, *, part=label, array=values, affine=AFFINE):
        nibabel.save(nibabel.Nifti1Image(array, affine), part)
        with pytest.raises(ValueError, match=match):
            check_volumes([volume])

    refused(
        r"one shape, got \(8, 9, 10\) in .*images/p1_0.nii.gz and \(8, 9, 9\) in .*labels/p1_0", array=values[..., 1:]
    )
    refused(r"affine of .*labels/p1_0.nii.gz is not that of .*images/p1_0", affine=np.diag([-1.0, 1, 1, 1]) @ AFFINE)
    refused(r"labels/p1_0.nii.gz must hold the values 0, 1 only, got 3", array=values * np.uint8(3))
    refused(r"labels/p1_0.nii.gz is empty", array=values * np.uint8(0))
    refused(r"images/p1_0.nii.gz must have three axes, got shape \(8, 9\)", part=image, array=values[..., 0])
    image.write_bytes(image.read_bytes()[:-20])
    with pytest.raises(ValueError, match=r"images/p1_0.nii.gz cannot be read as NIfTI"):
        check_volumes([volume])
    image.unlink()
    with pytest.raises(FileNotFoundError, match=r"p1_0.nii.gz does not exist"):
        read_volume(volume)


def test_affines_may_differ_by_a_rounding(tmp_path):
    write_volume(tmp_path, "p1_0", shape=(8, 9, 10), seed=1)
    [volume] = find_volumes(tmp_path, patients=EACH, values=(1,))
    values = np.asarray(nibabel.load(volume.label).dataobj)
    nibabel.save(nibabel.Nifti1Image(values, AFFINE + 1e-4), volume.label)
    assert read_volume(volume)[1].sum() == values.sum()


def test_whose_a_volume_is(tmp_path):
    data = write_folder(tmp_path)
    assert [one.patient for one in find_volumes(data, patients=RULE, values=(1,))] == [
        "p1",
        "p1",
        "p2",
        "p2",
        "p3",
        "p3",
    ]
    assert len({one.patient for one in find_volumes(data, patients=EACH, values=(1,))}) == 6
    table = tmp_path / "whose.csv"
    names = [f"p{n}_{k}" for n in (1, 2, 3) for k in (0, 1)]
    table.write_text("volume,patient\n" + "".join(f"{name}.nii.gz,{'ab'[k % 2]}\n" for k, name in enumerate(names)))
    assert [one.patient for one in find_volumes(data, patients=str(table), values=(1,))] == ["a", "b"] * 3
    for text, match in (
        ("volume,patient\np1_0,a\n", r"whose.csv has no patient for p1_1, p2_0"),
        ("file,patient\n", r"whose.csv must have the columns volume and patient, got file, patient"),
        ("volume,patient\np1_0,a\np1_0,b\n", r"one row for each volume, got 2 rows for 1 volumes"),
    ):
        table.write_text(text)
        with pytest.raises(ValueError, match=match):
            find_volumes(data, patients=str(table), values=(1,))
    with pytest.raises(FileNotFoundError, match=r"none.csv does not exist"):
        find_volumes(data, patients="none.csv", values=(1,))
    with pytest.raises(ValueError, match=r"p1_0: the rule of the patients, 'q\\\\d', finds nothing"):
        find_volumes(data, patients=r"q\d", values=(1,))
    with pytest.raises(ValueError, match=r"patients must be a regular expression, a table X.csv, or each, got '\('"):
        find_volumes(data, patients="(", values=(1,))
    with pytest.raises(ValueError, match=r"values must be different numbers from 1 to 255, got \[0\]"):
        find_volumes(data, patients=EACH, values=(0,))
    (data / "labels" / "p1_0.nii.gz").unlink()
    with pytest.raises(ValueError, match=r"1 of 6 images in .* have no label in .*: p1_0.nii.gz"):
        find_volumes(data, patients=EACH, values=(1,))
    with pytest.raises(FileNotFoundError, match=r"must hold the folders images and labels, or imagesTr and labelsTr"):
        find_volumes(data / "images", patients=EACH, values=(1,))


def test_the_layout_of_the_decathlon(tmp_path):
    write_folder(tmp_path)
    for part in ("images", "labels"):
        (tmp_path / part).rename(tmp_path / f"{part}Tr")
    volumes = find_volumes(tmp_path, patients=EACH, values=(1, 2))
    assert len(volumes) == 6
    assert volumes[1].label == tmp_path / "labelsTr" / "p1_1.nii.gz"
    assert set(np.unique(read_volume(volumes[1])[1])) == {0, 1}  # the value 2 too is the structure


def test_wrong_options(tmp_path, tiny):
    for match, options in (
        ("the authors published no code of this experiment", {"recipe": "official"}),
        ("preset must be one of paper, quick|preset must be one of quick, paper", {"preset": "full"}),
        ("source must be one of phantom, folder, hippocampus, got 'placenta'", {"source": "placenta"}),
        ("data must be left out with the source phantom", {"data": "."}),
        ("data must be given with the source hippocampus", {"source": "hippocampus"}),
        ("a folder needs a rule of the patients", {"source": "folder", "data": "."}),
        ("patients and values are for the source folder, got the source phantom", {"patients": "each"}),
        ("seed must be at least 0", {"seed": -1}),
    ):
        with pytest.raises(ValueError, match=match):
            placenta.run(tmp_path / "out", **options)


def test_pictures_of_volumes_that_were_changed(ran, tmp_path):
    """With masks of the tiny run, of which one is made to differ."""
    folder, _ = ran
    shutil.copytree(folder / "out" / "predictions", tmp_path / "predictions")
    file = tmp_path / "predictions" / "network" / "p2_0.nii.gz"
    image = nibabel.load(file)
    mask = np.asarray(image.dataobj).copy()
    mask[1, 2, 3] = 1
    nibabel.save(nibabel.Nifti1Image(mask, image.affine, image.header), file)
    changed = documents(folder)["volume_p2_0"]
    changed["result"]["voxels_changed"]["refine"] = 1
    every = [changed, documents(folder)["volume_p1_0"]]
    assert shown(every) == [changed]
    volumes = {one.name: one for one in find_volumes(folder / "data", patients=RULE, values=(1, 2))}
    work = SimpleNamespace(volumes=volumes, predictions=tmp_path / "predictions")
    figure = examples(every, work)
    assert [ax.get_title() for ax in figure.axes][2:] == ["barcode before", "barcode after"]
    figure.savefig(tmp_path / "examples.png")
    assert examples(every[1:], work) is None
    turned = turnable(changed, work)
    assert np.argwhere(turned.before & ~turned.after).tolist() == [[1, 2, 3]]
    assert turned.spacing == (1.0, 2.0, 1.5)
    assert "p2_0: Betti numbers" in turned.caption
    assert len(turned.content()["masks"]) >= mask.size
