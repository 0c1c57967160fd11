"""The picture of an example of the gallery: what it calls ``figure``, be it registered with pyplot or not."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from sphinx_gallery.scrapers import figure_rst


def scrape(_block: Any, block_vars: dict[str, Any], gallery_conf: dict[str, Any]) -> str:
    """Save the figure that a block of code has made; nothing for a block that made none."""
    names = block_vars["example_globals"]
    figure = names.get("figure")
    if figure is None or figure is names.get("_figure_in_gallery"):
        return ""
    names["_figure_in_gallery"] = figure
    path = Path(next(block_vars["image_path_iterator"]))
    figure.savefig(path, dpi=110)
    return str(figure_rst([str(path)], gallery_conf["src_dir"]))


def _get_sg_image_scraper() -> Callable[..., str]:
    """What sphinx-gallery asks a module for that is named among its scrapers."""
    return scrape
