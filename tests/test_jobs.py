"""One function over many items: the same result whoever works, and nothing done twice."""

import functools
import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import joblib
import pytest
import torch
from distributed import LocalCluster, get_worker

import topoprior
from topoprior.jobs import Failure, for_each


def root(number: int) -> float:
    if number < 0:
        raise ValueError(f"number must not be negative,\n got {number}")
    return number**0.5


def root_and_process(number: int) -> tuple[float, int]:
    return root(number), os.getpid()


def threads(_: int) -> int:
    return torch.get_num_threads()


def die(number: int) -> int:
    if number == 3:
        os._exit(1)
    return number


@functools.lru_cache
def counting() -> list[Path]:
    return []


def double(place: tuple[Path, Path]) -> int:
    """Twice the number in a file, into another file; counted, to see what is done again."""
    source, target = place
    counting().append(source)
    text = source.read_text()
    if text == "defect":
        raise KeyError(text)
    number = 2 * int(text)
    target.write_text(str(number))
    return number


@pytest.fixture
def places(tmp_path):
    counting().clear()
    for index in range(4):
        (tmp_path / f"{index}.txt").write_text(str(10 + index))
    return [(tmp_path / f"{index}.txt", tmp_path / f"{index}.out") for index in range(4)]


def doubled(places, journal, **options):
    """Run it, and tell which were done, by their numbers."""
    counting().clear()
    outcome = for_each(
        double,
        places,
        name=lambda place: place[0].name,
        reads=lambda place: place[:1],
        writes=lambda place: place[1:],
        journal=journal,
        **options,
    )
    return outcome, [int(path.stem) for path in counting()]


# Who works


@pytest.mark.parametrize(
    ("backend", "jobs"),
    [("threading", 1), ("threading", 3), ("loky", 2), pytest.param("dask", 2, marks=pytest.mark.timeout(60))],
)
def test_all_backends_give_the_same(backend, jobs):
    numbers = [16, 9, -4, 25, 0, -1, 36]
    seen = []
    outcome = for_each(root_and_process, numbers, jobs=jobs, backend=backend, advance=lambda: seen.append(1))
    roots = [(name, root) for name, (root, _) in outcome.results.items()]
    assert roots == [("16", 4.0), ("9", 3.0), ("25", 5.0), ("0", 0.0), ("36", 6.0)]
    assert (os.getpid() in {process for _, process in outcome.results.values()}) == (backend == "threading")
    assert outcome.failures == [Failure(f"{n}", f"number must not be negative, got {n}") for n in (-4, -1)]
    assert outcome.skipped == []
    assert len(seen) == len(numbers)


def worker(_: int) -> str:
    return get_worker().address


@pytest.mark.timeout(60)
def test_a_cluster_is_found_by_its_address(monkeypatch):
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with LocalCluster(**options, protocol="tcp", processes=False) as cluster:
        addresses = {each.address for each in cluster.workers.values()}
        monkeypatch.setenv("DASK_SCHEDULER_ADDRESS", "tcp://127.0.0.1:1")  # where nobody listens
        outcome = for_each(worker, range(8), backend="dask", scheduler=cluster.scheduler_address)
        assert set(outcome.results.values()) <= addresses
        monkeypatch.setenv("DASK_SCHEDULER_ADDRESS", cluster.scheduler_address)
        assert set(for_each(worker, range(8), backend="dask").results.values()) <= addresses


def test_each_job_takes_its_share_of_the_cores(monkeypatch):
    monkeypatch.setattr(joblib, "cpu_count", lambda: 8)
    before = torch.get_num_threads()
    torch.set_num_threads(8)
    try:
        assert for_each(threads, range(3)).results == {"0": 8, "1": 8, "2": 8}
        assert set(for_each(threads, range(6), jobs=2).results.values()) == {4}
        assert set(for_each(threads, range(6), jobs=3).results.values()) == {2}
        assert set(for_each(threads, range(9), jobs=9).results.values()) == {1}
        assert set(for_each(threads, range(9), jobs=-1).results.values()) == {1}
        assert set(for_each(threads, range(2), jobs=4).results.values()) == {4}  # two items take two jobs
        assert for_each(threads, range(1), jobs=4, backend="loky").results == {"0": 8}
        with ThreadPoolExecutor() as pool:  # a new thread takes the number of the process
            assert torch.get_num_threads() == pool.submit(torch.get_num_threads).result() == 8
        torch.set_num_threads(2)  # as the user wished: never more
        assert set(for_each(threads, range(6), jobs=2).results.values()) == {2}
    finally:
        torch.set_num_threads(before)


def test_processes_that_are_kept_find_relative_paths(tmp_path, monkeypatch):
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        for file in ("a", "b"):
            (tmp_path / name / file).write_text(name)
        monkeypatch.chdir(tmp_path / name)
        outcome = for_each(Path.read_text, [Path("a"), Path("b")], jobs=2, backend="loky")
        assert outcome.results == {"a": name, "b": name}


def test_a_process_that_dies_is_told():
    with pytest.raises(OSError, match="a worker process was killed"):
        for_each(die, range(8), jobs=2, backend="loky")


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_defect_is_not_hidden(jobs):
    with pytest.raises(KeyError, match="absent"):
        for_each({}.__getitem__, ["absent"], jobs=jobs)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"jobs": 0}, ValueError, "jobs must be at least 1, or -1 for one on each core, got 0"),
        ({"jobs": 1.5}, TypeError, "jobs must be a whole number, got 1.5"),
        ({"jobs": True}, TypeError, "jobs must be a whole number, got True"),
        ({"backend": "slurm"}, ValueError, "backend must be one of threading, loky, dask, ray, got 'slurm'"),
        ({"scheduler": "tcp://a:1"}, ValueError, "a scheduler needs the backend dask or ray, got 'threading' with tcp"),
        ({"name": "same".format}, ValueError, "each item must have a name of its own, got same twice"),
    ],
)
def test_wrong_arguments(options, error, message):
    with pytest.raises(error, match=message):
        for_each(root, [1, 4], **options)


@pytest.mark.parametrize("backend", ["dask", "ray"])
def test_a_backend_that_is_not_installed(monkeypatch, backend):
    monkeypatch.setitem(sys.modules, {"dask": "distributed"}.get(backend, backend), None)
    with pytest.raises(ImportError, match=rf"the backend {backend} is not installed: pip install 'topoprior\[cluster"):
        for_each(root, [1], backend=backend)


# What is remembered


def test_what_is_done_is_not_done_again(tmp_path, places):
    journal = tmp_path / "journal.jsonl"
    first, done = doubled(places[:2], journal)
    assert (first.results, done) == ({"0.txt": 20, "1.txt": 22}, [0, 1])
    seen = []
    second, done = doubled(places[::-1], journal, advance=lambda: seen.append(1))
    assert (done, second.skipped, len(seen)) == ([3, 2], ["1.txt", "0.txt"], 4)
    assert list(second.results.items()) == [("3.txt", 26), ("2.txt", 24), ("1.txt", 22), ("0.txt", 20)]
    third, done = doubled(places, journal)
    assert (done, third.results, third.failures) == ([], second.results, [])


def test_what_has_changed_is_done_again(tmp_path, places):
    journal = tmp_path / "journal.jsonl"
    doubled(places, journal)
    places[0][0].write_text("70")
    places[1][1].unlink()
    os.utime(places[2][0], ns=(1, 1))
    outcome, done = doubled(places, journal)
    assert done == [0, 1, 2]
    assert outcome.results == {"0.txt": 140, "1.txt": 22, "2.txt": 24, "3.txt": 26}
    assert places[0][1].read_text() == "140"
    assert doubled(places, journal, given=lambda place: place[0].stem == "3")[1] == [0, 1, 2, 3]
    assert doubled(places, journal, given=lambda place: place[0].stem == "2")[1] == [2, 3]


def test_what_others_wrote_is_not_replaced(tmp_path, places):
    journal = tmp_path / "journal.jsonl"
    doubled(places[:2], journal)
    places[0][1].write_text("by hand")
    with pytest.raises(FileExistsError, match=r"0.out exists already"):
        doubled(places, journal)
    with pytest.raises(FileExistsError, match=r"0.out exists already"):
        doubled(places, None)
    assert counting() == []
    assert not places[2][1].exists()
    assert doubled(places, journal, overwrite=True)[1] == [0, 2, 3]
    assert places[0][1].read_text() == "20"


def test_what_failed_is_tried_again(tmp_path, places):
    journal = tmp_path / "journal.jsonl"
    places[1][0].write_text("eleven")
    for _ in range(2):
        outcome, done = doubled(places, journal)
        assert outcome.failures == [Failure("1.txt", "invalid literal for int() with base 10: 'eleven'")]
        assert list(outcome.results) == ["0.txt", "2.txt", "3.txt"]
    assert done == [1]
    places[1][0].write_text("11")
    assert doubled(places, journal)[1] == [1]
    assert doubled(places, journal)[1] == []


def test_other_settings_are_refused_by_name(tmp_path, places):
    journal = tmp_path / "journal.jsonl"
    doubled(places, journal, settings={"weight": 0.1, "slices": None, "pair": (1, 2)})
    assert doubled(places, journal, settings={"weight": 0.1, "slices": None, "pair": (1, 2)})[1] == []
    before = journal.read_bytes()
    for settings, message in (
        ({"weight": 0.3, "slices": None, "pair": (1, 2)}, "was begun with weight 0.1, now it is 0.3: .*overwrite"),
        ({"weight": 0.1, "pair": (1, 2)}, "was begun with slices None, now it is not given"),
        ({"weight": 0.1, "slices": 2, "pair": (1, 2)}, "slices None, now it is 2"),
        ({"weight": 0.1, "slices": None}, r"pair \[1, 2\], now it is not given"),
    ):
        with pytest.raises(ValueError, match=message):
            doubled(places, journal, settings=settings)
    assert journal.read_bytes() == before
    assert counting() == []
    assert doubled(places, journal, settings={"weight": 0.3}, overwrite=True)[1] == [0, 1, 2, 3]
    assert doubled(places, journal, settings={"weight": 0.3})[1] == []


def test_other_settings_follow_a_run_of_which_nothing_came(tmp_path, places):
    journal = tmp_path / "journal.jsonl"
    for source, _ in places:
        source.write_text("no number")
    outcome, _ = doubled(places, journal, settings={"weight": 0.1})
    assert len(outcome.failures) == len(places)
    places[1][0].write_text("11")
    outcome, _ = doubled(places, journal, settings={"weight": 0.3})
    assert list(outcome.results) == ["1.txt"]
    with pytest.raises(ValueError, match=r"was begun with weight 0.3, now it is 0.1"):
        doubled(places, journal, settings={"weight": 0.1})


def test_another_version_is_another_setting(tmp_path, places, monkeypatch):
    journal = tmp_path / "journal.jsonl"
    doubled(places, journal)
    now = topoprior.__version__
    monkeypatch.setattr(topoprior, "__version__", "9.9.9", raising=False)
    with pytest.raises(ValueError, match=f"was begun with version {now}, now it is 9.9.9"):
        doubled(places, journal)


@pytest.mark.parametrize("torn", [b'{"name": "3.txt", "resu', b'{"name": "3.txt"}', b"\xff"])
def test_a_torn_last_line_is_cut_off(tmp_path, places, torn):
    journal = tmp_path / "journal.jsonl"
    doubled(places[:3], journal)
    with journal.open("ab") as file:
        file.write(torn)
    assert doubled(places, journal)[1] == [3]
    entries = [json.loads(line) for line in journal.read_bytes().splitlines()]
    assert [entry["name"] for entry in entries if "result" in entry] == [f"{index}.txt" for index in range(4)]
    assert doubled(places, journal)[1] == []


def test_a_journal_that_is_none(tmp_path, places):
    journal = tmp_path / "precious.csv"
    for content in ("", "a,b\n1,2\n", "{}\n", '["journal"]\n'):
        journal.write_text(content)
        with pytest.raises(ValueError, match=r"precious.csv is no journal of this program"):
            doubled(places, journal, overwrite=True)
        assert journal.read_text() == content
    with pytest.raises(FileNotFoundError, match="none is no folder"):
        doubled(places, tmp_path / "none" / "journal.jsonl")
    assert counting() == []


def test_a_journal_with_a_broken_line(tmp_path, places):
    journal = tmp_path / "journal.jsonl"
    doubled(places, journal)
    lines = journal.read_text().splitlines()
    journal.write_text("\n".join([*lines[:2], "words", *lines[3:]]) + "\n")
    with pytest.raises(ValueError, match=r"journal.jsonl, line 3 cannot be read; remove the file to do all anew"):
        doubled(places, journal)


def test_a_defect_leaves_what_was_done(tmp_path, places):
    journal = tmp_path / "journal.jsonl"
    places[2][0].write_text("defect")
    with pytest.raises(KeyError):
        doubled(places, journal)
    places[2][0].write_text("12")
    assert doubled(places, journal)[1] == [2, 3]


def test_what_is_kept_can_be_less_than_the_result(tmp_path):
    options = {"journal": tmp_path / "j.jsonl", "record": lambda number: [number.real], "restore": lambda kept: kept[0]}
    assert for_each(complex, [1.5], **options).results == {"1.5": 1.5 + 0j}
    assert for_each(complex, [1.5], **options) == type(for_each(root, []))({"1.5": 1.5}, [], ["1.5"])


def test_a_run_that_is_given_up_waits_for_its_threads():
    """A process that ends while threads compute may crash."""
    started, ended = [], []

    def slow(number):
        started.append(number)
        time.sleep(0.2)
        ended.append(number)

    def give_up():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        for_each(slow, range(20), jobs=3, advance=give_up)
    assert sorted(started) == sorted(ended)
    assert 3 <= len(started) < 12
    time.sleep(0.3)
    assert len(started) == len(ended) < 12
