"""Draw the pictures of reports anew: ``python docs/make_screenshots.py audit evaluation``.

The first Python block of the page in ``how-to`` makes the data, its command with ``--report`` the report, and Chromium,
which must be installed, the picture. Both run in an empty folder.
"""

import contextlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

from topoprior.cli import run

HERE = Path(__file__).parent
# Page, the heading that begins the picture, width and height.
REPORTS = {"audit": ("audit.md", "", 1095, 1800), "evaluation": ("evaluate.md", "worst", 1060, 1060)}


def main(names: list[str]) -> None:
    """Draw pictures by name."""
    for name in names:
        page, heading, width, height = REPORTS[name]
        text = (HERE / "how-to" / page).read_text(encoding="utf-8")
        block = re.search(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
        command = re.search(r"^\$ (topoprior .*--report (\S+).*)$", text, re.MULTILINE)
        assert block, page
        assert command, page
        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
            exec(compile(block[1], page, "exec"), {"__name__": "__main__"})
            if status := run(shlex.split(command[1])[1:]):
                raise SystemExit(f"{command[1]} ended with {status}")
            report = Path(command[2]).absolute()
            if heading:
                html = report.read_text(encoding="utf-8")
                report.write_text(
                    html[: html.index("<body>")] + html[html.index(f'<h2 id="{heading}"') :], encoding="utf-8"
                )
            shoot(report.as_uri(), HERE / "images" / f"{name}.png", width, height)


def shoot(address: str, picture: Path, width: int, height: int) -> None:
    """Take a picture of a page, and keep it in few colours."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        raise SystemExit("pictures of pages need Chromium")
    taken = Path("taken.png").absolute()
    options = ("--headless", "--no-sandbox", "--hide-scrollbars", f"--window-size={width},{height}")
    subprocess.run([chromium, *options, f"--screenshot={taken}", address], check=True, capture_output=True)
    with Image.open(taken) as image:
        image.convert("RGB").quantize(256, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE).save(
            picture, optimize=True
        )


if __name__ == "__main__":
    main(sys.argv[1:])
