"""The reference names everything public, the lists of pages all pages, and links between pages lead somewhere."""

import importlib
import inspect
import re
import runpy
from pathlib import Path

import pytest

import topoprior

REPOSITORY = Path(__file__).parents[1]
DOCS = REPOSITORY / "docs"
PAGES = sorted(
    [REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md", *DOCS.glob("*.md"), *DOCS.glob("*/*.md")],
)
LINK = re.compile(r"(?<!`)\]\(([^()\s]+)\)")
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
MODULES = ("", *(name for name in topoprior.__all__ if inspect.ismodule(getattr(topoprior, name))))
OTHERS = ("integrations.monai", "integrations.nnunet", "integrations.lightning", "jobs", "viewing.report")
ALIASES = {"KeepTopologyD", "KeepTopologyDict", "RefineTopologyD", "RefineTopologyDict"}  # told of in a sentence

ELSEWHERE = {
    *("doctor.diagnose", "functional.betti_prior_loss"),  # listed by their shorter names
    *("integrations.monai.BettiPriorLoss", "integrations.monai.ClassPriorLoss"),
    *("jobs.Backend", "networks.weights_digest"),  # a type of words; not for users
}


def listed() -> set[str]:
    """The names under the autosummary directives of the reference."""
    text = "".join(page.read_text(encoding="utf-8") for page in (DOCS / "reference").glob("*.rst"))
    return set(re.findall(r"^   ([\w.]+)$", text, re.MULTILINE))


def public_names(module: str) -> set[str]:
    """What a module of the package makes public: functions and classes, by the name that the reference gives them."""
    home = getattr(topoprior, module, None) or importlib.import_module(f"topoprior.{module}".rstrip("."))
    names = getattr(home, "__all__", None) or [
        name
        for name, value in vars(home).items()
        if not name.startswith(("_", "check_"))
        and getattr(value, "__module__", None) == home.__name__
        and callable(value)
    ]
    public = {name for name in names if callable(getattr(home, name))}
    return {f"{module}.{name}".lstrip(".") for name in public - ALIASES}


def slug(heading: str) -> str:
    """The anchor of a heading, as code hosts make it."""
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
    return re.sub(r"[^\w\- ]", "", plain.lower()).strip().replace(" ", "-")


def anchors(page: Path) -> set[str]:
    """The anchors of all headings of a page."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    return {slug(heading) for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE)}


@pytest.mark.parametrize("module", [*MODULES, *OTHERS])
def test_the_reference_has_every_public_name(module):
    names = public_names(module)
    assert names
    assert names - listed() - ELSEWHERE == set()


@pytest.mark.parametrize("name", sorted(listed()))
def test_the_reference_names_what_there_is(name):
    parent, _, last = name.rpartition(".")
    home = topoprior
    for part in filter(None, parent.split(".")):
        home = getattr(home, part, None) or importlib.import_module(f"{home.__name__}.{part}")
    assert inspect.getdoc(getattr(home, last))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_links_lead_to_files_and_headings(page):
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    for link in LINK.findall(text):
        path, _, anchor = link.partition("#")
        if "://" in link or (not path and not anchor):
            continue
        target = (page.parent / path).resolve() if path else page
        made_by_the_build = target == DOCS / "gallery" / "index"
        assert target.exists() or made_by_the_build, link
        assert not anchor or slug(anchor) in anchors(target), link


@pytest.mark.parametrize("folder", ["tutorials", "how-to", "concepts", "reference", "results", "about"])
def test_every_page_has_a_place(folder):
    index = (DOCS / folder / "index.md").read_text(encoding="utf-8")
    (places,) = re.findall(r"```{toctree}\n:hidden:\n\n(.*?)```", index, re.DOTALL)
    listed_pages = [re.sub(r".*<(.*)>", r"\1", line) for line in places.splitlines()]
    pages = {page.stem for page in (DOCS / folder).iterdir() if page.suffix in (".md", ".rst")} - {"index"}
    assert set(listed_pages) == pages
    assert len(listed_pages) == len(pages)


def test_tutorial_output_may_differ_in_numbers_and_outcomes_not_in_words():
    same_words = runpy.run_path(str(DOCS / "run_code_blocks.py"))["same_words"]
    assert same_words("right 70.0 %\n...\n", "right  41.5 %\nDice 0.9\n")
    assert not same_words("right 70.0 %\n", "wrong 70.0 %\n")
    assert same_words("heart57  yes  0  already right\n", "heart57  no   8  no more steps\n")
    assert not same_words("heart57  yes  0  already right\n", "heart57  yes  0  out of memory\n")


def test_a_command_that_fails_or_prints_other_words_ends_the_run():
    run_commands = runpy.run_path(str(DOCS / "run_code_blocks.py"))["run_commands"]
    run_commands("$ echo one 2 \\\n      three\none 7 three\n$ true\n", "page:1")
    with pytest.raises(SystemExit, match="page:1: false ended with 1"):
        run_commands("$ false\n", "page:1")
    with pytest.raises(SystemExit, match="printed\none\n\nwhere the page has\ntwo"):
        run_commands("$ echo one\ntwo\n", "page:1")


def test_code_in_a_sentence_leads_to_what_is_documented():
    documented = runpy.run_path(str(DOCS / "_extensions" / "documented_name.py"))["documented"]
    objects = {
        *("topoprior.refine", "topoprior.metrics.dice", "topoprior.baselines.Components"),
        *("topoprior.integrations.monai.BettiPriorLoss", "topoprior.BettiPriorLoss", "topoprior.Economy.region"),
        *("topoprior.a.Table", "topoprior.b.Table"),
    }
    assert documented("tp.refine(network, image)", objects) == "topoprior.refine"
    assert documented("refine", objects) == "topoprior.refine"
    assert documented("topoprior.metrics.dice", objects) == documented("metrics.dice(a, b)", objects)
    assert documented("Components(radius=(1, 2))", objects) == "topoprior.baselines.Components"
    assert documented("BettiPriorLoss", objects) == "topoprior.BettiPriorLoss"
    for other in ("region", "Table", "dice", "refine maps", "--prior 1,1", "image >= p", "refine-many"):
        assert documented(other, objects) is None
