"""What is promised about the package itself: one version, extras that exist, a light import, licenses, workflows."""

import ast
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
import yaml

import installed_package
import topoprior

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PACKAGE = Path(topoprior.__file__).parent
SOURCES = sorted(PACKAGE.rglob("*.py"))
EXTRAS = re.compile(r"topoprior\[([\w,-]+)\]")


def test_the_version_stands_in_one_place_and_all_who_repeat_it_agree():
    assert topoprior.__version__ == metadata.version("topoprior") == PROJECT["version"]
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"] == PROJECT["version"]
    assert "VERSION" not in re.search(r"^project\((.*)\)", (ROOT / "CMakeLists.txt").read_text(), re.MULTILINE)[1]


def test_the_citation_has_the_license_and_title_of_the_package():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["license"] == PROJECT["license"]
    assert citation["title"].startswith("topoprior: ")


def test_extras_that_are_named_anywhere_exist():
    texts = [*SOURCES, ROOT / "README.md", *ROOT.glob("docs/*/*.md"), *ROOT.glob("examples/**/*.py")]
    named = {
        (str(path), extra)
        for path in texts
        for group in EXTRAS.findall(path.read_text(encoding="utf-8"))
        for extra in group.split(",")
    }
    extras = PROJECT["optional-dependencies"]
    assert len(named) > 20
    assert {one for one in named if one[1] not in extras} == set()


def test_extras_that_make_up_other_extras_exist():
    extras = PROJECT["optional-dependencies"]
    parts = {
        part
        for wanted in extras.values()
        for one in wanted
        for group in EXTRAS.findall(one)
        for part in group.split(",")
    }
    assert parts <= set(extras)
    assert "io" in parts


def test_whoever_misses_a_library_is_told_the_extra():
    raised = []
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
                name = ast.unparse(node.exc.func)
                if name in ("ImportError", "ModuleNotFoundError"):
                    raised.append(
                        (f"{path.relative_to(PACKAGE)}:{node.lineno}", bool(EXTRAS.search(ast.unparse(node))))
                    )
    assert len(raised) > 10
    assert [place for place, tells in raised if not tells] == []


def test_the_import_takes_milliseconds_and_loads_nothing_heavy():
    code = (
        "import sys, time; start = time.process_time(); import topoprior; took = time.process_time() - start; "
        "print(took, sorted({'torch', 'numpy', 'rich', 'cyclopts', 'importlib.metadata'} & set(sys.modules)))"
    )
    told = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True).stdout
        for _ in range(3)
    ]
    assert {line.split(" ", 1)[1] for line in told} == {"[]\n"}
    assert min(float(line.split()[0]) for line in told) < 0.05  # about 0.01; of the processor, whoever else is at work


def test_the_installed_package_passes_its_own_check(tmp_path, capsys):
    installed_package.every_command_explains_itself()
    installed_package.core_counts_right()
    installed_package.loss_and_refinement_work()
    installed_package.commands_work(tmp_path)
    assert capsys.readouterr().out == ""


def test_that_check_can_fail():
    with pytest.raises(SystemExit, match="import topoprior must not import"):
        installed_package.import_is_light()  # torch is here already


def test_the_package_is_typed_and_its_licenses_are_there():
    assert (PACKAGE / "py.typed").is_file()
    assert (PACKAGE / "_core.pyi").is_file()
    for name in PROJECT["license-files"]:
        assert (ROOT / name).is_file()
    third_party = (ROOT / "THIRD_PARTY_LICENSES.txt").read_text()
    assert all(words in third_party for words in ("nanobind", "BSD-3-Clause", "robin_map", "MIT License"))


def test_nothing_in_the_package_was_written_by_others_without_a_notice():
    """Pages carry scripts and styles: all ours. One that is not would need its license in THIRD_PARTY_LICENSES.txt."""
    ours = {".py", ".pyi", ".j2", ".js", ".css", ".html", ".typed"}
    foreign = re.compile(r"copyright|@license|permission is hereby granted|//# sourceMappingURL", re.IGNORECASE)
    for path in PACKAGE.rglob("*"):
        if path.is_dir() or "__pycache__" in path.parts or path.name.startswith("_core."):
            continue
        assert path.suffix in ours, path
        assert not foreign.search(path.read_text(encoding="utf-8")), path


@pytest.mark.parametrize("path", sorted(ROOT.glob(".github/workflows/*.yml")), ids=lambda path: path.stem)
def test_workflows_are_least_privileged_and_pin_their_actions(path):
    workflow = yaml.safe_load(path.read_text())
    assert workflow["permissions"] == {"contents": "read"}
    for job in workflow["jobs"].values():
        assert job["timeout-minutes"] <= 120
        for step in job["steps"]:
            if "uses" in step:
                assert re.fullmatch(r"(actions/[\w-]+@v\d+|pypa/gh-action-pypi-publish@release/v1)", step["uses"])


def test_what_the_configuration_of_wheels_names_is_there():
    wheels = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["cibuildwheel"]
    assert all((ROOT / source).is_file() for source in wheels["test-sources"])
    assert wheels["test-command"].split()[-1] in wheels["test-sources"]
    built = {re.sub(r"cp3(\d+)-\*", r"3.\1", one) for one in wheels["build"]}
    stated = {one.rpartition(" ")[2] for one in PROJECT["classifiers"] if re.search(r":: 3\.\d+$", one)}
    assert stated <= built


def test_spelling_is_not_checked_in_what_the_site_is_built_into():
    skipped = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["codespell"]["skip"].split(",")
    built = re.findall(r"^docs/.*(?=/$)", (ROOT / ".gitignore").read_text(), re.MULTILINE)
    assert len(built) == 3
    assert {f"./{folder}" for folder in built} <= set(skipped)
