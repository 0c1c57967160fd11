"""Pages that need no other file, run no script but their own, and are written whole or not at all."""

import base64
import hashlib
import io
import re

import pytest
from PIL import Image as Pillow

from topoprior.viewing.report import html
from topoprior.viewing.style import new_figure


@pytest.mark.parametrize(("form", "start"), [("png", b"\x89PNG"), ("webp", b"RIFF")])
def test_a_picture_is_its_own_address(form, start):
    address = html.data_address(new_figure(2.0, 1.0), form=form, dpi=50)
    kind, _, content = address.partition(",")
    assert kind == f"data:image/{form};base64"
    data = base64.b64decode(content)
    assert data.startswith(start)
    assert Pillow.open(io.BytesIO(data)).size == (100, 50)


def test_the_hash_lets_the_sorting_script_run_and_nothing_else():
    script = html.script("sorting.js")
    expected = base64.b64encode(hashlib.sha256(script["text"].encode()).digest()).decode()
    assert script["hash"] == f"sha256-{expected}"
    assert not re.search("fetch|XMLHttp|import|eval|innerHTML", script["text"])


def test_a_page_is_refused_before_any_picture_is_drawn(tmp_path):
    path = tmp_path / "report.html"
    path.write_text("old")
    with pytest.raises(FileExistsError, match="exists already"):
        html.Page(path, "refinement.html.j2", overwrite=False)
    with pytest.raises(FileNotFoundError, match="is no folder"):
        html.Page(tmp_path / "absent" / "report.html", "refinement.html.j2", overwrite=True)
    assert path.read_text() == "old"


def test_a_template_that_lacks_a_value_leaves_no_half_a_page(tmp_path):
    from jinja2 import UndefinedError

    page = html.Page(tmp_path / "report.html", "refinement.html.j2", overwrite=False)
    with pytest.raises(UndefinedError):
        page.write(title="no content")
    assert list(tmp_path.iterdir()) == []
