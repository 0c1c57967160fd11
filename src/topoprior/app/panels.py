"""What the page says: pictures, numbers and a plain sentence for each."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from topoprior.app.barcodes import barcode
from topoprior.app.pictures import change_picture, map_picture, mask_picture
from topoprior.app.recipe import command_line, download, python_code
from topoprior.app.wish import WORDS, counted, in_words, wanted_in_words

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from topoprior.app.exploration import Exploration
    from topoprior.app.trial import Method, Trial
    from topoprior.app.wish import Wish

_REASONS = {
    "already right": "It was right already, so nothing was changed.",
    "topology right": "It stopped when the topology was right with a margin.",
    "no more steps": "It used up its steps; the best mask that was seen is kept.",
    "edited": "The steps did not get there; the rest was edited, by the smallest change found.",
    "no edit helps": "The steps did not get there, and no edit was found that does.",
    "not finite": "A value was not finite, so it stopped there.",
}
KEY = (
    '<ul class="key"><li><i class="birth"></i>birth</li><li><i class="death"></i>death</li>'
    '<li><i class="d0 round"></i>component</li><li><i class="d1"></i>loop</li>'
    '<li><i class="surplus"></i>too many</li></ul>'
)
BAR_KEY = (
    '<ul class="key"><li><i class="wanted"></i>wanted: made longer</li>'
    '<li><i class="allowed"></i>allowed: left alone</li><li><i class="surplus"></i>too many: made shorter</li>'
    '<li><i class="missing"></i>wanted, but not there</li></ul>'
)
CHANGE_KEY = '<ul class="key"><li><i class="gained"></i>gained</li><li><i class="lost"></i>lost</li></ul>'


def problem(message: str) -> str:
    """What is wrong with what was asked, in place of a panel."""
    return f'<p class="problem" role="alert">{escape(_sentence(message))}</p>'


def note(message: str) -> str:
    """A remark."""
    return f'<p class="note">{escape(message)}</p>' if message else ""


def map_panel(probability: NDArray[np.float32], found: Exploration) -> str:
    """The map with its critical pixels, beside the super-level set at the level."""
    level = f"{found.level:.2f}"
    return (
        f'<div class="pair">{_figure(map_picture(probability, found.bars), "The map and its critical pixels", KEY)}'
        + _figure(
            mask_picture(probability >= found.level, f"Super-level set at {level}"),
            f'Pixels of at least {level}: <b id="betti-at-level">{in_words(found.betti_at_level)}</b>',
        )
        + "</div>"
    )


def bars_panel(found: Exploration) -> str:
    """The barcode, with what is missing in words."""
    level = '<p class="caption">Each bar is a component or a loop, there from its birth down to its death; the line at '
    level += f"{found.level:.2f} crosses as many as there are at that level.</p>"
    gone = [
        f"{counted(count, dimension)} wanted without any bar: no pixel of the map can be pushed to make "
        f"{'it' if count == 1 else 'them'}, so only the guarantee helps."
        for dimension, count in enumerate(found.missing)
        if count
    ]
    return barcode(found, level=found.level) + BAR_KEY + level + "".join(note(each) for each in gone)


def verdict_panel(found: Exploration, wish: Wish) -> str:
    """The mask's Betti numbers against those that are wanted, and the loss with its parts."""
    verdict = "✓ as wanted" if found.right else "✗ wanted"
    parts = [
        f"{WORDS[dimension]}s {'do not count' if part is None else f'{part:.3f}'}"
        for dimension, part in enumerate(found.losses)
    ]
    return (
        f'<p class="verdict"><span>The mask has <b id="betti">{in_words(found.betti)}</b></span> '
        f'<span class="{"good" if found.right else "bad"}">{verdict}: {wanted_in_words(wish.prior)}</span></p>'
        f'<p class="caption">Loss <b id="loss">{found.loss:.3f}</b> ({", ".join(parts)}): what the wanted bars lack '
        "and what the others have, squared lengths; 0 is a map without any doubt.</p>"
    )


def trial_panel(trial: Trial, wish: Wish, after: Exploration) -> str:
    """The masks before and after, their Betti numbers, and what changed."""
    verdict = "✓ As wanted" if trial.succeeded else "✗ Not as wanted"
    changed = trial.gained + trial.lost
    return (
        f'<p class="verdict"><span class="{"good" if trial.succeeded else "bad"}">{verdict}</span> '
        f"<span>{_pixels(changed)} of the mask changed in {_steps(trial.steps)}, {trial.seconds:.1f} s</span></p>"
        f'<p class="caption">{_REASONS[trial.stop_reason]}</p>'
        '<div class="pair">'
        + _figure(
            mask_picture(trial.before, "Mask before"),
            f'Before: <b id="betti-before">{in_words(trial.betti_before)}</b>',
        )
        + _figure(
            change_picture(trial.before, trial.after, "Mask after"),
            f'After: <b id="betti-after">{in_words(trial.betti_after)}</b>',
            CHANGE_KEY,
        )
        + "</div>"
        + '<p class="caption">The bars of the refined map:</p>'
        + barcode(after, level=wish.threshold)
    )


def recipe_panel(probability: NDArray[np.float32], wish: Wish, method: Method) -> str:
    """The same on the user's files: in Python, and as a command."""
    return (
        '<p class="caption">The same on your own map, in Python:</p>'
        f'<pre id="code">{escape(python_code(wish, method))}</pre>'
        '<p class="caption">or from the command line, which takes PNG and NIfTI too:</p>'
        f'<pre id="command">{escape(command_line(wish, method))}</pre>'
        f'<p class="caption">The map of this page, to try it on: {download(probability)}</p>'
    )


def _figure(picture: str, caption: str, key: str = "") -> str:
    return f"<figure>{picture}<figcaption>{caption}</figcaption>{key}</figure>"


def _sentence(message: str) -> str:
    message = " ".join(message.split())
    if message.partition(" ")[0].isalpha():  # and not the name of a file
        message = message[:1].upper() + message[1:]
    return message + ("" if message.endswith((".", "?", "!")) else ".")


def _pixels(count: int) -> str:
    return "1 pixel" if count == 1 else f"{count} pixels"


def _steps(count: int) -> str:
    return "1 step" if count == 1 else f"{count} steps"
