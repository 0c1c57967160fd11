"""Links out of ``docs`` into the repository, which the pages need on the code host, as links within the site."""

import re
import shutil
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.util import logging

REPOSITORY = Path(__file__).parents[2]

# Where the site has what a link names, by what follows the last `../`.
PLACES = (
    (re.compile(r"benchmarks/results/(\w+)/results\.(?:md|json)"), r"/results/\1.md"),
    (re.compile(r"benchmarks/results/(\w+)\.md"), r"/results/\1.md"),
    (re.compile(r"examples/monai_bundle/docs/README\.md"), "/how-to/monai-bundle.md"),
    (re.compile(r"CHANGELOG\.md"), "/about/changelog.md"),
    (re.compile(r"CONTRIBUTING\.md"), "/about/contributing.md"),
)
LINK = re.compile(r"\[([^\[\]]*)\]\((?:\.\./)+(\S+?)\)")
REPORT = re.compile(r"benchmarks/(results/\S+\.html)")


def place_of(link: re.Match[str], docname: str) -> str:
    """The link as the site has it; a link that the site knows nothing of stays."""
    text, target = link.groups()
    if report := REPORT.fullmatch(target):  # a page that is no source of the site, copied beside it
        if not (REPOSITORY / target).is_file():
            logging.getLogger(__name__).warning("no such report: %s", target, location=docname)
        return f'<a class="reference" href="{"../" * docname.count("/")}{report[1]}">{text}</a>'
    path, hash_, anchor = target.partition("#")
    for pattern, place in PLACES:
        if pattern.fullmatch(path):
            return f"[{text}]({pattern.sub(place, path)}{hash_}{anchor})"
    return link[0]


def translate(_: Sphinx, docname: str, source: list[str]) -> None:
    """Translate the links of one page."""
    source[0] = LINK.sub(lambda link: place_of(link, docname), source[0])


def copy_reports(app: Sphinx, failed: Exception | None) -> None:
    """Put the reports of the experiments, each a page of its own, beside the pages of results."""
    if failed is None and app.builder.format == "html":
        for report in (REPOSITORY / "benchmarks" / "results").rglob("report.html"):
            copy = Path(app.outdir) / report.relative_to(REPOSITORY / "benchmarks")
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(report, copy)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("source-read", translate)
    app.connect("build-finished", copy_reports)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
