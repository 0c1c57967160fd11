"""Run the Python code blocks of Markdown pages, each page in one namespace and in an empty folder.

python docs/run_code_blocks.py README.md docs/concepts/conventions.md
"""

import os
import re
import sys
import tempfile
from pathlib import Path

BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def main(pages: list[str]) -> None:
    """Run every page; an exception ends the run. Pages without Python code are named, and README.md must have some."""
    for page in map(Path, pages):
        text = page.read_text(encoding="utf-8")
        blocks = list(BLOCK.finditer(text))
        if not blocks and page.name == "README.md":
            raise SystemExit(f"{page}: no Python code block found")
        namespace: dict[str, object] = {"__name__": "__main__"}
        home = Path.cwd()
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            try:
                for block in blocks:
                    line = text[: block.start(1)].count("\n")
                    exec(compile("\n" * line + block.group(1), str(page), "exec"), namespace)
            finally:
                os.chdir(home)
        print(f"{page}: {len(blocks)} code blocks ran")


if __name__ == "__main__":
    main(sys.argv[1:])
