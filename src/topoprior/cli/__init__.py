"""The command line: arguments in, one public call, a table, picture or file out. No logic.

A command is a module, named after it, or a room with its parts, in whose ``command.py`` it stands:

======================  ================================================================================
``commands``            the program, put together from all commands
``arguments``           what the words of all commands mean: options, files, places, devices, priors
``output``              what all commands print and draw alike
``audit``, ...          the rooms of single commands; ``betti``, ...: commands without parts
======================  ================================================================================

Nothing here is imported by the rest of the package, and a command imports ``arguments``, ``output`` and its own room
alone; only ``robustness``, which refines and evaluates on worse and worse images, stands on the rooms of both. The
commands import torch, and all that needs it, when their work begins: ``--help`` answers at once.
"""

import os
import sys
from collections.abc import Sequence

from cyclopts import CycloptsError

from topoprior.cli.commands import app
from topoprior.cli.doctor import ProblemsFound
from topoprior.cli.output.failures import FilesFailed
from topoprior.jobs import one_line

__all__ = ["app", "main", "run"]


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
