"""Draw pictures of the pages anew: ``python docs/make_images.py figure1 boundary`` runs these examples.

Each example of the gallery names its picture ``figure``; here it goes to ``docs/images``, as the pages show it.
"""

import runpy
import sys
from pathlib import Path

HERE = Path(__file__).parent


def main(names: list[str]) -> None:
    """Run the examples and save what they have drawn."""
    for name in names:
        variables = runpy.run_path(str(HERE.parent / "examples" / f"plot_{name}.py"))
        variables["figure"].savefig(HERE / "images" / f"{name}.png", dpi=90)


if __name__ == "__main__":
    main(sys.argv[1:])
