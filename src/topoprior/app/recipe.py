"""The code and the command that do on a user's file what the page did."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING

import numpy as np

from topoprior.app.trial import Method

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from topoprior.app.wish import Wish

_USUAL = Method()


def python_code(wish: Wish, method: Method) -> str:
    """Three lines, after the imports: read a map, refine it, write its mask."""
    options = _options(wish)
    chosen = {
        **({"weight": method.weight} if method.weight != _USUAL.weight else {}),
        **({"max_steps": method.max_steps} if method.max_steps != _USUAL.max_steps else {}),
        **options,
    }
    prior = repr(wish.prior).replace("BettiPrior", "tp.BettiPrior")
    lines = [
        "import numpy as np, torch, topoprior as tp",
        *(["from topoprior.refinement.guarantee import completed"] if method.guarantee else []),
        "",
        'probability = torch.from_numpy(np.load("map.npy"))[None, None]',
        f"result = tp.refine_map(probability, {', '.join([prior, *_keywords(chosen)])})",
        *([f"result = completed(result, {', '.join([prior, *_keywords(options)])})"] if method.guarantee else []),
        'np.save("mask.npy", result.mask[0, 0])',
    ]
    return "\n".join(lines)


def command_line(wish: Wish, method: Method) -> str:
    """The same as one command; it takes .png, .npy, .nii and .nii.gz, and folders of them."""
    prior = str(wish.prior)
    words = ["topoprior refine map.npy --prior", f"'{prior}'" if "*" in prior else prior, "-o mask.npy"]
    words += [f"--weight {method.weight:g}"] if method.weight != _USUAL.weight else []
    words += [f"--max-steps {method.max_steps}"] if method.max_steps != _USUAL.max_steps else []
    words += [f"--{name} {value}" for name, value in _options(wish).items()]
    return " ".join([*words, *(["--guarantee"] if method.guarantee else [])])


def download(probability: NDArray[np.float32]) -> str:
    """The page's map as a link that holds the file: what the code and the command can be tried on."""
    file = io.BytesIO()
    np.save(file, probability, allow_pickle=False)
    address = "data:application/octet-stream;base64," + base64.b64encode(file.getvalue()).decode("ascii")
    return f'<a download="map.npy" href="{address}">map.npy</a>'


def _options(wish: Wish) -> dict[str, str | float]:
    """What is not as it is by default."""
    options: dict[str, str | float] = {}
    if wish.construction != "T":
        options["construction"] = wish.construction
    if wish.boundary != "background":
        options["boundary"] = wish.boundary
    if wish.threshold != 0.5:
        options["threshold"] = wish.threshold
    return options


def _keywords(options: dict[str, str | float]) -> list[str]:
    return [f'{name}="{value}"' if isinstance(value, str) else f"{name}={value!r}" for name, value in options.items()]
