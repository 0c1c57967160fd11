"""Every check by name: ``nox -s lint types core tests app readme``. CI runs the same from an empty environment."""

from pathlib import Path

import nox

nox.options.sessions = ["lint", "types", "core", "tests", "app", "readme"]
nox.options.reuse_existing_virtualenvs = True
CONSTRAINTS = ("-c", "constraints.txt")


@nox.session
def lint(session: nox.Session) -> None:
    """Ruff (rules and format) and spelling."""
    session.install("ruff", "codespell")
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("codespell")


@nox.session
def types(session: nox.Session) -> None:
    """Mypy, strict."""
    session.install(*CONSTRAINTS, ".[all]", "mypy")
    session.run("mypy")


@nox.session
def core(session: nox.Session) -> None:
    """The C++ core without Python: debug build, address and undefined-behaviour sanitizers, warnings as errors."""
    session.install("cmake>=3.25", "ninja")
    build = session.create_tmp()
    options = ("-DTOPOPRIOR_CORE_TESTS=ON", "-DTOPOPRIOR_SANITIZE=ON", "-DCMAKE_BUILD_TYPE=Debug")
    session.run("cmake", "-S", ".", "-B", build, "-G", "Ninja", *options)
    session.run("cmake", "--build", build)
    session.run("ctest", "--test-dir", build, "--output-on-failure")


@nox.session
def tests(session: nox.Session) -> None:
    """All tests, the examples of the docstrings included."""
    session.install(*CONSTRAINTS, ".[test]")
    session.run("pytest", *session.posargs)


@nox.session
def app(session: nox.Session) -> None:
    """The interactive page, in a browser if Chromium is there; apart, since gradio holds Pillow below its newest."""
    session.install(*CONSTRAINTS, ".[test,app]")
    session.run("pytest", "tests/test_app.py", "tests/test_app_page.py", *session.posargs)


@nox.session
def nnunet(session: nox.Session) -> None:
    """nnU-Net from raw data to refined masks, on a CPU in a few minutes; apart, since it brings many packages."""
    session.install(*CONSTRAINTS, ".[nnunet]", "pytest", "pytest-timeout")
    files = sorted(map(str, Path("tests").glob("test_integration_nnunet*.py")))
    session.run("pytest", "-rP", *files, *session.posargs)


@nox.session
def readme(session: nox.Session) -> None:
    """The Python code of README and docs, as a newcomer would paste it."""
    session.install(*CONSTRAINTS, ".[all]")
    session.run("python", "docs/run_code_blocks.py", "README.md", *map(str, sorted(Path("docs").glob("*/*.md"))))


@nox.session
def docs(session: nox.Session) -> None:
    """The site, in docs/_build/html: gallery run, warnings as errors, every name and link within it looked up."""
    session.install(*CONSTRAINTS, ".[docs]")
    session.run("sphinx-build", "-W", "--keep-going", "-n", *session.posargs, "docs", "docs/_build/html")


@nox.session
def wheels(session: nox.Session) -> None:
    """The source distribution, a wheel made from it, and what that does in an environment with nothing else."""
    session.install("build")
    folder = Path(session.create_tmp())
    for old in folder.glob("topoprior-*"):
        old.unlink()
    session.run("python", "-m", "build", "--outdir", str(folder))
    session.run("pip", "uninstall", "--yes", "topoprior")
    session.install(*CONSTRAINTS, *map(str, folder.glob("*.whl")))
    session.run("python", "tests/installed_package.py")


@nox.session
def bench(session: nox.Session) -> None:
    """The engine against its named peers; takes about twenty minutes on two quiet cores."""
    session.install(*CONSTRAINTS, ".[bench]", "oineus")
    session.run("python", "benchmarks/engine.py", *session.posargs)
