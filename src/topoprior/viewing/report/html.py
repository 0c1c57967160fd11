"""From a template to one HTML file that needs no other file and makes no request."""

from __future__ import annotations

import base64
import hashlib
import io
import platform
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from typing import TYPE_CHECKING

from topoprior.imaging.new_file import check_new_file, new_file

if TYPE_CHECKING:
    from pathlib import Path

    from jinja2 import Environment
    from matplotlib.figure import Figure

_PLACE = "topoprior.viewing.report"


class Page:
    """A page that will be written: what could stop it is checked before its pictures are drawn.

    Args:
        path: Where to; appears whole or not at all.
        template: A file beside this one.
        overwrite: Replace an existing file.

    Raises:
        OSError: If the file exists and ``overwrite`` is false, or cannot be written there.
        ImportError: If jinja2 is missing.
    """

    def __init__(self, path: Path, template: str, *, overwrite: bool) -> None:
        self._template = _templates().get_template(template)
        check_new_file(path, overwrite=overwrite)
        self.path, self.overwrite = path, overwrite

    def write(self, **content: object) -> Path:
        """Fill the template, write the file, and return its path."""
        scripts = {"sorting": script("sorting.js"), "turning": script("volume.js")}
        html = self._template.render(**content, environment=environment(), **scripts)
        with new_file(self.path, overwrite=self.overwrite) as temporary:
            temporary.write_text(html, encoding="utf-8")
        return self.path


def data_address(figure: Figure, *, form: str = "png", dpi: int = 110) -> str:
    """A figure as an address that holds the picture itself.

    Args:
        figure: Drawn as it is.
        form: ``"png"``, or ``"webp"``, a fifth of the size for pictures of images.
        dpi: Pixels per inch.
    """
    buffer = io.BytesIO()
    figure.savefig(buffer, format=form, dpi=dpi, pil_kwargs={"quality": 88} if form == "webp" else None)
    return f"data:image/{form};base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def environment() -> dict[str, str]:
    """Versions of what the run depends on; nothing that identifies the machine."""
    found = {"python": platform.python_version(), "system": f"{platform.system()} {platform.machine()}"}
    for package in ("topoprior", "torch", "numpy", "monai", "matplotlib"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def script(name: str) -> dict[str, str]:
    """A script beside this file, and the hash by which a browser lets it, and no other, run."""
    text = files(_PLACE).joinpath(name).read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")
    return {"text": text, "hash": f"sha256-{digest}"}


def _templates() -> Environment:
    try:
        from jinja2 import Environment, PackageLoader, StrictUndefined
    except ImportError as error:
        raise ImportError("a report needs jinja2 and matplotlib: pip install 'topoprior[report]'") from error
    return Environment(
        loader=PackageLoader(_PLACE, "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
