"""Run the code blocks of Markdown pages, each page in one namespace and in an empty folder.

python docs/run_code_blocks.py README.md docs/concepts/conventions.md

Python blocks run on every page. In tutorials the commands of console blocks run too, and what they print must be what
the page shows: the same words, where `...` stands for any. Another processor rounds otherwise, and so trains another
network: numbers may differ, and so may which image was right and how its refinement ended.
"""

import contextlib
import doctest
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

BLOCK = re.compile(r"^```(python|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^\$ ((?:.*\\\n)*.*)\n((?:(?!\$ ).*\n)*)", re.MULTILINE)
VARIES = re.compile(r"\d[\d.]*(?:e-?\d+)?|\b(?:topology right|already right|no more steps|yes|no)\b")


def main(pages: list[str]) -> None:
    """Run every page; an exception ends the run. Pages without Python code are named, and README.md must have some."""
    for page in map(Path, pages):
        text = page.read_text(encoding="utf-8")
        kinds = ("python", "console") if page.resolve().parent.name == "tutorials" else ("python",)
        blocks = [block for block in BLOCK.finditer(text) if block[1] in kinds]
        if not blocks and page.name == "README.md":
            raise SystemExit(f"{page}: no Python code block found")
        namespace: dict[str, object] = {"__name__": "__main__"}
        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
            for block in blocks:
                line = text[: block.start(2)].count("\n")
                if block[1] == "python":
                    exec(compile("\n" * line + block[2], str(page), "exec"), namespace)
                else:
                    run_commands(block[2], f"{page}:{line + 1}")
        print(f"{page}: {len(blocks)} code blocks ran")


def run_commands(block: str, place: str) -> None:
    """Run the commands after ``$``, with the Python that runs this; end if one fails or prints other words."""
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    for command, shown in COMMAND.findall(block):
        done = subprocess.run(command, shell=True, capture_output=True, text=True, env={**os.environ, "PATH": path})
        if done.returncode:
            raise SystemExit(f"{place}: {command} ended with {done.returncode}\n{done.stderr}")
        if shown and not same_words(shown, done.stdout):
            raise SystemExit(f"{place}: {command} printed\n{done.stdout}\nwhere the page has\n{shown}")


def same_words(shown: str, printed: str) -> bool:
    """Whether two texts agree but for what varies between processors, white space, and what ``...`` stands for."""
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    return doctest.OutputChecker().check_output(VARIES.sub("#", shown), VARIES.sub("#", printed), flags)


if __name__ == "__main__":
    main(sys.argv[1:])
