"""What refines: the arguments of a command, and the refiner that they ask for."""

from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from topoprior.cli.arguments.device import chosen_device
from topoprior.cli.arguments.options import Device
from topoprior.cli.refine.maps import MapRefiner
from topoprior.cli.refine.networks import NetworkRefiner
from topoprior.cli.refine.nnunet import PredictionRefiner, model_refiner
from topoprior.cli.refine.nnunet_files import is_model
from topoprior.cli.refine.refiner import Refiner
from topoprior.imaging.networks import Activation, Normalisation, load
from topoprior.imaging.recipe import Recipe
from topoprior.integrations.nnunet.labels import Labels
from topoprior.losses.economy import Economy

_OF_NNUNET = "is not for files and models of nnU-Net, which say so themselves"
_OF_MAPS = "needs --network: without it the files are probability maps"


@dataclass(frozen=True)
class RefinerChoice:
    """Small enough to be sent with every file; the network is read where the file is refined.

    Attributes:
        network: Checkpoint, ``module:factory`` or model of nnU-Net; None for probability maps.
        activation: ``"none"``, ``"sigmoid"`` or ``"softmax"``; None for what the network says, and none for a map.
        normalise: Of the network's images; None for what the network says.
        channel: Of the network's output.
        device: Where to compute.
        options: For `topoprior.refine` or `topoprior.refine_map`, name and value.
        run: Different for each run: a network is read once in each process, and anew for the next run.
        classes: How many channels maps have, if they have an axis for them.
        channel_axis: Which it is; None for the usual place.
        dataset: The dataset.json of nnU-Net, if the files are its predictions.
    """

    network: str | None
    activation: Literal["none"] | Activation | None
    normalise: Normalisation | None
    channel: int | None
    device: Device
    options: tuple[tuple[str, Any], ...]
    run: str
    classes: int | None = None
    channel_axis: int | None = None
    dataset: Path | None = None

    def refiner(self) -> Refiner:
        """What was chosen, read once in each process and run.

        Raises:
            OSError, TypeError: As :func:`topoprior.networks.load`.
            ValueError: As there; or if an argument needs a network or a GPU and there is none.
        """
        return _refiner(self)

    def class_names(self) -> tuple[str, ...] | None:
        """Names of the channels by the checkpoint or by nnU-Net, background first; None if nobody says.

        Raises:
            OSError, TypeError, ValueError: As :meth:`refiner`.
        """
        return None if self.network is None and self.dataset is None else self.refiner().names

    def settings(self) -> dict[str, Any]:
        """All that every result depends on, as plain values: the network by its weights.

        Raises:
            OSError, TypeError, ValueError: As :meth:`refiner`.
        """
        told = {name: value for name, value in asdict(self).items() if name not in ("options", "run", "dataset")}
        told |= {} if self.dataset is None else {"dataset": str(self.dataset)}
        options = {name: asdict(value) if isinstance(value, Economy) else value for name, value in self.options}
        return {**told, **options, "weights": self.refiner().digest}


@lru_cache(maxsize=1)
def _refiner(choice: RefinerChoice) -> Refiner:
    options = dict(choice.options)
    if choice.dataset is not None or is_model(choice.network):
        _refuse(choice, ("normalise", "channel", "activation", "channel_axis"), _OF_NNUNET)
    if choice.dataset is not None:
        return PredictionRefiner(Labels.read(choice.dataset), options, chosen_device(choice.device))
    if choice.network is not None and is_model(choice.network):
        return model_refiner(choice.network, options, chosen_device(choice.device))
    return _of_maps(choice, options) if choice.network is None else _of_network(choice, choice.network, options)


def _refuse(choice: RefinerChoice, names: tuple[str, ...], reason: str) -> None:
    for name in names:
        if getattr(choice, name) is not None:
            raise ValueError(f"--{name.replace('_', '-')} {reason}")


def _activation(choice: RefinerChoice) -> Activation | None:
    return None if choice.activation == "none" else choice.activation


def _of_maps(choice: RefinerChoice, options: dict[str, Any]) -> MapRefiner:
    _refuse(choice, ("normalise", "channel"), _OF_MAPS)
    if choice.activation == "softmax" and choice.classes is None:
        raise ValueError(
            "--activation softmax needs the channels of a --network, or of a map with priors of classes; "
            "one channel takes none or sigmoid"
        )
    if choice.activation == "sigmoid" and choice.classes is not None:
        raise ValueError("priors of classes need a softmax over the channels: --activation softmax or none")
    device = chosen_device(choice.device)
    return MapRefiner(_activation(choice), options, device, choice.classes, choice.channel_axis)


def _of_network(choice: RefinerChoice, network: str, options: dict[str, Any]) -> NetworkRefiner:
    loaded, place = load(network), chosen_device(choice.device)
    loaded = replace(loaded, network=loaded.network.to(place))
    if choice.activation is not None:
        loaded = replace(loaded, activation=_activation(choice))
    recipe = Recipe.from_metadata(loaded.metadata)
    if recipe is not None and recipe.channels > 1:
        raise ValueError(f"{network} takes {recipe.channels} channels, but only images of one channel can be refined")
    preparation = None if recipe is None else recipe.preparation
    if choice.normalise is not None and preparation is not None:
        preparation = replace(preparation, normalisation=choice.normalise)
    elif choice.normalise is not None:
        loaded = replace(loaded, normalisation=choice.normalise)
    classes = None if recipe is None else recipe.classes
    return NetworkRefiner(loaded, choice.channel, options, place, preparation, classes)
