"""The command line: arguments in, one public call, a table, picture or file out. No logic.

The commands import torch, and all that needs it, when their work begins: ``--help`` answers at once.
"""

import os
import sys
from collections.abc import Sequence

from cyclopts import App, CycloptsError, Parameter

from topoprior.cli.audit import audit
from topoprior.cli.barcode import barcode
from topoprior.cli.betti import betti
from topoprior.cli.demo import demo
from topoprior.cli.doctor import ProblemsFound, doctor
from topoprior.cli.evaluate import evaluate
from topoprior.cli.label_priors import label_priors
from topoprior.cli.output import FilesFailed
from topoprior.cli.page import app as page
from topoprior.cli.predict import predict
from topoprior.cli.priors import priors
from topoprior.cli.refine import refine
from topoprior.cli.reproduce import reproduce
from topoprior.cli.robustness import robustness
from topoprior.cli.train import train
from topoprior.jobs import one_line


def _version() -> str:
    from importlib.metadata import version

    return version("topoprior")


app = App(
    name="topoprior",
    help="Give segmentations the topology that you know they have: count it, look at it, correct it.",
    help_epilogue=(
        "Images are NIfTI (.nii, .nii.gz), grayscale PNG, or NPY; 2-D, 3-D, or stacks of slices (--slices). "
        "A prior lists components, loops and, in 3-D, cavities: 1,1 is a ring. Start with `topoprior demo`."
    ),
    help_format="markdown",
    version=_version,
    default_parameter=Parameter(negative=()),
    result_action="return_value",
    suppress_keyboard_interrupt=False,
)
for _command, _arguments in (
    (demo, ""),
    (betti, "FILE... "),
    (barcode, "FILE... "),
    (refine, "FILE... --prior 1,1 -o OUT "),
    (evaluate, "PREDICTIONS LABELS "),
    (robustness, "[IMAGES LABELS] "),
    (audit, "LABELS... "),
    (label_priors, "STACK... "),
    (priors, "--prior A=1,1 A+B=1,0 "),
    (doctor, "FILE... [--prior 1,1] "),
    (predict, "FILE... --checkpoint BEST.safetensors -o OUT "),
    (train, "--config RUN.yaml [KEY=VALUE...] "),
):
    _usage = f"Usage: topoprior {_command.__name__.replace('_', '-')} {_arguments}[OPTIONS]"
    app.command(_command, usage=_usage, help_epilogue="")
app.command(page, name="app", usage="Usage: topoprior app [OPTIONS]", help_epilogue="")
app.command(reproduce)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status: 0 done, 1 wrong input, 2 wrong usage, 130 stopped by Ctrl-C.

    Args:
        arguments: The words after ``topoprior``; None for those of this process.
    """
    try:
        app(arguments, exit_on_error=False)
    except CycloptsError:  # already explained on standard error
        return 2
    except BrokenPipeError:  # the reader has seen enough, as in ``topoprior barcode map.npy | head``
        sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115  # where Python flushes the rest when it ends
        return 0
    except ProblemsFound:  # told already
        return 1
    except FilesFailed as failed:
        print(failed, file=sys.stderr)
        return 1
    except (ValueError, TypeError, OSError, ImportError) as error:
        print(f"error: {one_line(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130  # as shells say it
    return 0


def main() -> None:
    """The console script ``topoprior``."""
    sys.exit(run())
