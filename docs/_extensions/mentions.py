"""What pages mention as code, as links, once in each section: public names, commands, and scripts of the gallery.

`` `tp.refine(network, image, prior)` `` leads to the reference of ``refine``, `` `topoprior audit labels` `` to the
command, `` `examples/plot_volume.py` `` to its page. What is documented nowhere stays as it is.
"""

import re
from collections.abc import Iterator
from typing import Any

from documented_name import documented
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.nodes import make_refnode

COMMAND = re.compile(r"topoprior ([a-z-]+)(?: ([a-z]+))?.*", re.DOTALL)
SCRIPT = re.compile(r"examples/(plot_\w+)\.py")
COMMANDS = "reference/command-line"


class Mentions(SphinxPostTransform):
    """Wrap code that names something documented in a link to it."""

    default_priority = 5  # before the references of Sphinx, so that links stay as they are

    def run(self, **_: Any) -> None:
        """Wrap the first mention in each section."""
        seen: set[tuple[int, tuple[str, str]]] = set()
        for literal in list(self.document.findall(nodes.literal)):
            place = self.place_of(literal.astext())
            section = within(literal)
            if place is None or section is None or place[0] == self.env.docname or (id(section), place) in seen:
                continue
            seen.add((id(section), place))
            target, anchor = place
            link = make_refnode(self.app.builder, self.env.docname, target, anchor, literal.deepcopy())
            literal.replace_self(link)

    def place_of(self, text: str) -> tuple[str, str] | None:
        """The page, and the place on it, of what code names."""
        if script := SCRIPT.fullmatch(text):
            page = f"gallery/{script[1]}"
            return (page, "") if page in self.env.found_docs else None
        if command := COMMAND.fullmatch(text):
            anchors = set(self.anchors_of_commands())
            named = ("-".join(("topoprior", *filter(None, words))) for words in (command.groups(), (command[1],)))
            return next(((COMMANDS, anchor) for anchor in named if anchor in anchors), None)
        objects = self.env.domains.python_domain.objects
        name = documented(text, objects)
        return (objects[name].docname, objects[name].node_id) if name else None

    def anchors_of_commands(self) -> Iterator[str]:
        """The anchors of all commands."""
        for link in self.env.tocs[COMMANDS].findall(nodes.reference):
            yield link["anchorname"].removeprefix("#")


def within(literal: nodes.literal) -> nodes.Element | None:
    """The section that code stands in; none where it must be no link: in headings, links and signatures."""
    node: nodes.Element | None = literal.parent
    while node is not None and not isinstance(node, nodes.section):
        if isinstance(node, (nodes.title, nodes.reference)) or node.tagname in ("pending_xref", "desc"):
            return None
        node = node.parent
    return node


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.add_post_transform(Mentions)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
