"""The gallery: its order, the picture of an example, and the pages that explain it."""

import ast
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx_gallery.scrapers import figure_rst

DOCS = Path(__file__).parents[1]
ORDER = (  # of reading; an example that is not here ends the build
    *("plot_demo", "plot_concept_bars", "plot_shapes", "plot_figure1", "plot_volume", "plot_concept_constructions"),
    *("plot_boundary", "plot_concept_loss", "plot_concept_missing_features", "plot_concept_choosing_lambda"),
    *("plot_refinement_steps", "plot_guarantee", "plot_concept_metrics", "plot_concept_classes", "plot_short_axis"),
    *("plot_few_labels", "plot_robustness", "plot_concept_engine"),
)
BEGINNING = ".. GENERATED FROM PYTHON SOURCE LINES"  # what follows the introduction of an example


def place(filename: str) -> int:
    """Where an example stands."""
    return ORDER.index(Path(filename).stem)


def title_of(script: str) -> str:
    """The first line of an example."""
    docstring = ast.get_docstring(ast.parse(Path(script).read_text(encoding="utf-8"))) or ""
    return docstring.partition("\n")[0]


def scrape(_block: Any, block_vars: dict[str, Any], gallery_conf: dict[str, Any]) -> str:
    """Save what a block of code has left as ``figure``, registered with pyplot or not; nothing if it made none."""
    names = block_vars["example_globals"]
    figure = names.get("figure")
    if figure is None or figure is names.get("_figure_in_gallery"):
        return ""
    names["_figure_in_gallery"] = figure
    path = Path(next(block_vars["image_path_iterator"]))
    figure.savefig(path, dpi=110)
    return str(figure_rst([str(path)], gallery_conf["src_dir"], fig_titles=title_of(block_vars["src_file"])))


def _get_sg_image_scraper() -> Callable[..., str]:
    """What sphinx-gallery asks a module for that is named among its scrapers."""
    return scrape


def lead_to_explanations(_: Sphinx, docname: str, source: list[str]) -> None:
    """Name the pages that show the picture of an example, under its introduction."""
    script = f"examples/{Path(docname).name}.py"
    if docname.startswith("gallery/plot_"):
        pages = [page for page in sorted(DOCS.glob("*/*.md")) if script in page.read_text(encoding="utf-8")]
        links = ", ".join(f":doc:`/{page.parent.name}/{page.stem}`" for page in pages if page.stem != "index")
        if links:
            source[0] = source[0].replace(BEGINNING, f"Explained in: {links}.\n\n{BEGINNING}", 1)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("source-read", lead_to_explanations)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
