"""``topoprior priors``: what a set of priors says."""

import json

from topoprior.cli import run

HEART = ("--prior", "RV=1,0", "MYO=1,1", "LV=1,0", "--relation", "MYO encloses LV", "RV touches MYO once")


def told(capsys, *arguments: str, status: int = 0) -> tuple[dict, str]:
    assert run(["priors", *arguments, "--json"]) == status
    captured = capsys.readouterr()
    return json.loads(captured.out), captured.err


def test_words_become_numbers_and_what_is_missing_is_named(capsys):
    found, _ = told(capsys, *HEART)
    assert found["classes"] == ["BG", "RV", "MYO", "LV"]
    assert found["priors"] == {"RV": "1,0", "MYO": "1,1", "LV": "1,0", "RV+MYO": "1,1", "MYO+LV": "1,0"}
    assert found["missing"] == ["RV+LV"]
    assert "LV fills every loop of MYO" in found["follows"]
    complete, _ = told(capsys, "--preset", "short-axis-heart")
    assert complete["missing"] == []
    assert told(capsys, *HEART, "LV apart from RV")[0] == complete


def test_a_contradiction_is_told_and_fails(capsys):
    words = ("--prior", "RV=1,0", "LV=1,0", "RV+LV=3,0")
    found, error = told(capsys, *words, status=1)
    assert found["contradictions"] == ["RV+LV wants at least 3 components, but RV and LV together have at most 2"]
    assert error.startswith("error: no label map has these priors: RV+LV wants")
    in_v = ("--prior", "A=1,2", "B=1,0", "A+B=1,0", "--construction")  # two holes, one piece to fill both
    assert told(capsys, *in_v, "T")[0]["contradictions"] == []
    assert told(capsys, *in_v, "V", status=1)[0]["contradictions"] != []


def test_the_printed_page(capsys):
    assert run(["priors", "--prior", "wall=1,1", "lumen=1,0", "--classes", "back", "wall", "lumen"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:5] == ["class  prior", "wall   1,1", "lumen  1,0", "", "--classes back wall lumen"]
    assert lines[6:8] == ["Without a prior:", "  wall+lumen"]


def test_one_class(capsys):
    assert run(["priors", "--preset", "cortical-shell"]) == 0
    assert capsys.readouterr().out == "--prior 1,0,1\n"
    assert run(["priors", "--prior", "0,1"]) == 1
    assert "no component but a loop" in capsys.readouterr().err
    assert run(["priors"]) == 1
    assert "--prior or --preset, one of the two" in capsys.readouterr().err
