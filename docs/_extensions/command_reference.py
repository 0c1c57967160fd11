"""``{command-reference}``: all commands with all options, in the words of their own ``--help``."""

import re
from typing import Any

from cyclopts import App
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

DOUBLED = re.compile(r"^(topoprior (.+?)) \2 ", re.MULTILINE)  # cyclopts names a command twice where its usage is ours


def sections(app: App) -> str:
    """Markdown of all commands, a section for each."""
    text = app.generate_docs("markdown")
    text = text[text.index("\n## ", text.index("**Commands**")) :]
    return DOUBLED.sub(r"\1 ", text)


class CommandReference(SphinxDirective):
    """A section for each command of the program."""

    def run(self) -> list[nodes.Node]:
        """Make the sections."""
        from topoprior.cli import app

        return self.parse_text_to_nodes(sections(app), allow_section_headings=True)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.add_directive("command-reference", CommandReference)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
