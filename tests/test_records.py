"""The log of a run: on disk as in memory, continued where the state was saved."""

import json

import pytest

from topoprior.training.records import Records


def written(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def logged(folder, count):
    records = Records(folder)
    for step in range(count):
        records.add("supervised", step, step, {"train/labelled": 0.5 * step})
    records.close()
    return records.all


def test_what_is_added_is_written(tmp_path):
    found = logged(tmp_path, 3)
    assert written(tmp_path) == found
    assert written(tmp_path)[2] == {"phase": "supervised", "step": 2, "total_step": 2, "train/labelled": 1.0}
    assert list((tmp_path / "tensorboard").glob("events*"))


def test_what_came_after_the_saved_state_is_dropped(tmp_path):
    logged(tmp_path, 4)
    records = Records(tmp_path, keep=2)
    records.add("supervised", 9, 9, {"train/labelled": 7.0})
    records.close()
    assert [record["step"] for record in written(tmp_path)] == [0, 1, 9]
    assert written(tmp_path) == records.all


def test_a_new_run_begins_an_empty_log(tmp_path):
    logged(tmp_path, 2)
    Records(tmp_path).close()
    assert written(tmp_path) == []


def test_a_log_shorter_than_the_state_is_refused(tmp_path):
    logged(tmp_path, 2)
    with pytest.raises(ValueError, match="has 2 records, fewer than the 3 of the state to resume"):
        Records(tmp_path, keep=3)


def test_without_a_folder_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert len(logged(None, 2)) == 2
    assert list(tmp_path.iterdir()) == []
