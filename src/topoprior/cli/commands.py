"""The program: its commands, in the order in which they are listed, and how their usage is told."""

from cyclopts import App, Parameter

from topoprior.cli.audit.command import audit
from topoprior.cli.barcode import barcode
from topoprior.cli.betti import betti
from topoprior.cli.demo import demo
from topoprior.cli.doctor import doctor
from topoprior.cli.evaluate.command import evaluate
from topoprior.cli.label_priors import label_priors
from topoprior.cli.page import app as page
from topoprior.cli.predict.command import predict
from topoprior.cli.priors import priors
from topoprior.cli.refine.command import refine
from topoprior.cli.reproduce.command import reproduce
from topoprior.cli.robustness.command import robustness
from topoprior.cli.train.command import train


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
