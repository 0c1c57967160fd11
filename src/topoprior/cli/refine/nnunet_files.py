"""nnU-Net on the command line: which files and models are its own, and how masks of them are named."""

from collections.abc import Sequence
from pathlib import Path

from topoprior.integrations.nnunet.image_files import case_of
from topoprior.integrations.nnunet.labels import find_dataset

PREFIX = "nnunet:"


def is_model(network: str | None) -> bool:
    """Whether ``--network`` names a model of nnU-Net."""
    return network is not None and network.startswith(PREFIX)


def is_prediction(file: Path) -> bool:
    """Whether a file holds probabilities as nnU-Net writes them."""
    return file.suffix.lower() == ".npz"


def inputs_of(paths: Sequence[Path], network: str | None) -> list[Path]:
    """The files meant, where folders are nnU-Net's: with a model the first channels, else predictions if there are any.

    Raises:
        ValueError: If predictions come with other files or with a network.
    """
    files = [file for path in paths for file in (_in_folder(path, network) if path.is_dir() else [path])]
    predictions = [file for file in files if is_prediction(file)]
    if predictions and network is not None:
        raise ValueError(f"{predictions[0]} holds probabilities: --network is for images")
    if predictions and len(predictions) < len(files):
        other = next(file for file in files if not is_prediction(file))
        raise ValueError(f"predictions of nnU-Net are refined by themselves, got {other} with {predictions[0]}")
    return files


def mask_name(source: Path, network: str | None) -> str:
    """The name of the mask of an input in the folder of masks: that of nnU-Net's own masks.

    Raises:
        ValueError: If an image for a model of nnU-Net is not named as these are.
    """
    if is_model(network):
        return "".join(case_of(source))
    if is_prediction(source):
        from topoprior.integrations.nnunet.predictions import mask_beside

        mask = mask_beside(source)
        return f"{source.stem}.nii.gz" if mask is None else mask.name
    return source.name


def labels_beside(files: Sequence[Path]) -> Path | None:
    """The dataset.json of predictions; None if the files are no predictions.

    Raises:
        FileNotFoundError: If there is none.
    """
    return find_dataset(files[0].parent) if files and is_prediction(files[0]) else None


def _in_folder(folder: Path, network: str | None) -> list[Path]:
    from topoprior.cli.arguments.inputs import images_of

    predictions = sorted(file for file in folder.iterdir() if is_prediction(file) and not file.name.startswith("."))
    if network is None and predictions:
        return predictions
    images = images_of([folder])
    if not is_model(network):
        return images
    return [image for image in images if "_0000." in image.name] or images
