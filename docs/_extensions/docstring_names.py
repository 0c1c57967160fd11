"""What docstrings name, as links: objects by any part of their name that is theirs alone, and pages of ``docs``.

A name in single backquotes must exist: documented, it becomes a link; public nowhere but in the package, it stays code;
otherwise the build warns.
"""

import pkgutil
import re
from typing import Any

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

PAGE = re.compile(r"docs/((?:concepts|how-to|about|tutorials)/[\w-]+)\.md")


def link_pages(_app: Sphinx, _what: str, _name: str, _object: object, _options: Any, lines: list[str]) -> None:
    """Turn the path of a page into a link to it."""
    lines[:] = [PAGE.sub(r":doc:`/\1`", line) for line in lines]


def find(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.TextElement
) -> nodes.reference | nodes.TextElement | None:
    """What a name of Python means that is not the whole name of anything documented."""
    if node.get("refdomain") != "py":
        return None
    target = node["reftarget"]
    node["refspecific"] = True  # any object whose name ends so
    found = env.get_domain("py").resolve_xref(env, node["refdoc"], app.builder, node["reftype"], target, node, content)
    return found or (content if target.startswith("topoprior.") and exists(target) else None)


def exists(name: str) -> bool:
    """Whether the package has a module or an object of this name."""
    try:
        pkgutil.resolve_name(name)
    except (AttributeError, ImportError, ValueError):
        return False
    return True


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("missing-reference", find)
    app.connect("autodoc-process-docstring", link_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
