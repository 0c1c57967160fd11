"""The folder of a training run: whether a run may begin or go on in it, and what it is opened with."""

import shutil
from json import dumps

from topoprior.cli.train.configuration import Configuration, as_yaml, differences, read_configuration
from topoprior.imaging.new_file import new_file
from topoprior.viewing.report import environment


def check_folder(configuration: Configuration, *, resume: bool, overwrite: bool) -> None:
    """Refuse a folder with another run in it, before any image is read."""
    folder = configuration.folder
    if resume and overwrite:
        raise ValueError("say --resume or --overwrite, one of the two")
    if not (folder / "checkpoints" / "last.pt").exists() or overwrite:
        return
    if not resume:
        raise FileExistsError(
            f"{folder} holds a run already: go on with it (--resume), begin anew (--overwrite), or give another --name"
        )
    changed = differences(read_configuration(folder / "config.yaml"), configuration)
    if changed:
        raise ValueError(f"{folder} cannot be resumed with another configuration: {'; '.join(changed)}")


def open_folder(configuration: Configuration, *, overwrite: bool) -> None:
    """Make the folder of the run, and write what it is told and where it runs."""
    folder = configuration.folder
    if overwrite:
        for part in ("checkpoints", "tensorboard"):
            shutil.rmtree(folder / part, ignore_errors=True)
        (folder / "metrics.jsonl").unlink(missing_ok=True)
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in (
        ("config.yaml", as_yaml(configuration)),
        ("environment.json", dumps(environment(), indent=2) + "\n"),
    ):
        with new_file(folder / name, overwrite=True) as temporary:
            temporary.write_text(text, encoding="utf-8")
