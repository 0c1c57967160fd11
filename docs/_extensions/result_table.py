"""``{result-table} ../../benchmarks/results/acdc/results.json``: a table that an experiment left, as it stands."""

import json
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective


class ResultTable(SphinxDirective):
    """The list of rows under ``table`` in a JSON file, and under it what ``missing`` lists."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Make the table."""
        name, path = self.env.relfn2path(self.arguments[0])
        self.env.note_dependency(name)
        results = json.loads(Path(path).read_text(encoding="utf-8"))
        rows = results["table"]
        lines = ["| " + " | ".join(cells) + " |" for cells in (rows[0], ["---"] * len(rows[0]))]
        lines += ["| " + " | ".join(str(cell) for cell in row.values()) + " |" for row in rows]
        lines += ["", *(f"- {sentence}" for sentence in results.get("missing", []))]
        return self.parse_text_to_nodes("\n".join(lines))


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.add_directive("result-table", ResultTable)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
