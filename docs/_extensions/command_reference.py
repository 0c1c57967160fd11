"""``{command-reference}``: all commands with all options, in the words of their own ``--help``."""

from typing import Any

from cyclopts import App
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective


def sections(app: App, path: tuple[str, ...]) -> list[str]:
    """Markdown of the commands under ``path``, a section for each, and of the commands under them."""
    pages = []
    for name in app:
        if name.startswith("-"):
            continue
        command, words = app[name], (*path, name)
        _, text = command.generate_docs("markdown", recursive=False).split("\n", 1)
        own, *_ = text.split("\n## ", 1)  # what follows is about the commands under it
        pages += [f"{'#' * len(words)} {' '.join(words)}\n{own}", *sections(command, words)]
    return pages


class CommandReference(SphinxDirective):
    """A section for each command of the program."""

    def run(self) -> list[nodes.Node]:
        """Make the sections."""
        from topoprior.cli import app

        return self.parse_text_to_nodes("\n".join(sections(app, ("topoprior",))), allow_section_headings=True)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.add_directive("command-reference", CommandReference)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
