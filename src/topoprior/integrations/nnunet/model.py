"""A trained model of nnU-Net, refined on single images as nnU-Net predicts them: in windows, mirrored, in all folds."""

from __future__ import annotations

import copy
import io
import itertools
import os
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

from topoprior.imaging.io import read_image
from topoprior.integrations.nnunet import TRAINERS
from topoprior.integrations.nnunet.geometry import in_file_order
from topoprior.integrations.nnunet.image_files import channel_file
from topoprior.integrations.nnunet.labels import Labels
from topoprior.integrations.nnunet.predictions import Prediction, completed_prediction, conventions_of
from topoprior.integrations.nnunet.regions import region_row
from topoprior.integrations.nnunet.verdict import on_the_grid
from topoprior.integrations.nnunet.windows import InWindows
from topoprior.refinement.network import refine

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import Tensor

    from topoprior.imaging.image import Array
    from topoprior.priors.class_priors import ClassPriors
    from topoprior.refinement.result import RefinementResult


class RefinedCase(NamedTuple):
    """What `Model.refine` gives: the refinement, and nnU-Net's own prediction on the grid of the image file."""

    result: RefinementResult
    prediction: Prediction


@dataclass(frozen=True, eq=False)
class Model:
    """A model folder of nnU-Net, ``nnUNetTrainer__nnUNetPlans__3d_fullres``; make it with `Model.read`.

    Attributes:
        predictor: nnU-Net's own, which holds plans, configuration and weights.
        labels: What the channels are.
        folder: Where it was read.
        checkpoints: The files of its weights.
    """

    predictor: Any
    labels: Labels
    folder: Path
    checkpoints: tuple[Path, ...]

    @classmethod
    def read(
        cls,
        folder: str | Path,
        *,
        folds: Sequence[int | str] | None = None,
        checkpoint: str = "checkpoint_final.pth",
        device: torch.device | str = "cpu",
        mirror: bool = True,
        step: float = 0.5,
    ) -> Model:
        """Read a model folder by nnU-Net's predictor. Weights are pickles, which can run code: read your own only.

        Args:
            folder: With dataset.json, plans.json and ``fold_0`` and so on.
            folds: Which of them; their mean is the network. None: all that are there, as nnU-Net predicts. Each costs
                the time and memory of a network.
            checkpoint: The file in the folder of each fold.
            device: Where to compute.
            mirror: Whether to take the mean over mirrored views, as nnU-Net does where the training mirrored. Without
                it a refinement takes a quarter of the time in 2-D, an eighth in 3-D.
            step: From window to window, as a share of the window.

        Raises:
            ImportError: If nnU-Net is missing: ``pip install 'topoprior[nnunet]'``.
            FileNotFoundError: If a file is not there.
        """
        folder = Path(folder)
        for name in ("dataset.json", "plans.json"):
            if not (folder / name).is_file():
                raise FileNotFoundError(f"{folder / name} does not exist: {folder} is no model folder of nnU-Net")
        chosen = _folds(folder, checkpoint) if folds is None else [str(fold) for fold in folds]
        files = tuple(folder / f"fold_{fold}" / checkpoint for fold in chosen)
        for file in files:
            if not file.is_file():
                raise FileNotFoundError(f"{file} does not exist")
        with _our_trainers(), redirect_stdout(io.StringIO()):  # it tells at length where it looks
            predictor_class = _import("nnunetv2.inference.predict_from_raw_data").nnUNetPredictor
            predictor = predictor_class(
                tile_step_size=step, use_mirroring=mirror, device=torch.device(device), allow_tqdm=False
            )
            predictor.initialize_from_trained_model_folder(str(folder), chosen, checkpoint)
        return cls(predictor, Labels.of(predictor.dataset_json), folder, files)

    def refine(
        self,
        image: str | Path | Sequence[str | Path],
        prior: ClassPriors,
        *,
        previous: str | Path | None = None,
        guarantee: bool = False,
        threshold: float = 0.5,
        **options: Any,
    ) -> RefinedCase:
        """Adapt a copy of the networks to one image until the whole prediction has the wanted topology (equation 5).

        The image is preprocessed, cut into windows and put together by nnU-Net's own rules; only the arithmetic is
        float32 throughout. The loss is of the whole map; each window gets its part of the gradient, see
        `topoprior.integrations.nnunet.windows`. Then the logits go back to the grid of the file as nnU-Net brings them
        there, and what is said of the result is counted there: resampling may undo what the refinement reached, which
        ``guarantee=True`` mends.

        Args:
            image: The file of the first channel, ``case_0000.nii.gz``, beside the others; or the files of all channels.
            prior: ``model.labels.priors({"wall": "1,1"})``; two Betti numbers for a single slice, else three.
            previous: For the second stage of a cascade: the label map of the first.
            guarantee: Whether to edit what is still wrong in the end, on the grid of the file.
            threshold: At which the probabilities of regions are cut.
            **options: Of `topoprior.refine`, but not ``activation``.

        Returns:
            As `topoprior.refine`, with output, mask and Betti numbers on the grid of the file. Channels of the mask are
            ``labels.classes``. ``history`` and ``steps`` are those of the networks on nnU-Net's grid.

        Raises:
            FileNotFoundError: If the file of a channel is not there.
            TypeError, ValueError: As `topoprior.refine`; or if the prior does not fit, or ``previous`` is missing.
        """
        files = self._channels(image)
        like = read_image(files[0])
        data, properties = self._preprocessed(files, previous)
        flat = prior.dimensions == 2
        if flat and data.shape[1] != 1:
            raise ValueError(
                f"the prior has 2 Betti numbers, but {files[0]} has 3 axes: give it 3, or predict with "
                f"--save_probabilities and refine slices with `topoprior refine case.npz --slices 2`"
            )
        network, padded = self._in_windows(data, flat=flat)
        wanted: Any = region_row(prior, self.labels) if self.labels.has_regions else prior
        with torch.no_grad():
            first = network(padded)
        found = refine(network, padded, wanted, activation=self.labels.activation, threshold=threshold, **options)
        assert found.network is not None
        with torch.no_grad():
            last = first if found.best_step == 0 else found.network(padded)
        before, after = (self._exported(logits, properties, flat=flat) for logits in (first, last))
        reference, grid = in_file_order(before, properties, like=like, path=files[0])
        output, _ = in_file_order(after, properties, like=like, path=files[0])
        conventions = conventions_of(options, threshold)
        result = on_the_grid(found, reference, output, prior, self.labels, conventions)
        if guarantee:
            result = completed_prediction(result, prior, self.labels, conventions)
        return RefinedCase(result, Prediction(reference, grid, self.labels))

    def _channels(self, image: str | Path | Sequence[str | Path]) -> list[Path]:
        """The files of all channels."""
        names = self.predictor.dataset_json.get("channel_names") or self.predictor.dataset_json.get("modality")
        if not isinstance(image, str | Path):
            files = [Path(file) for file in image]
        else:
            first = Path(image)
            files = [channel_file(first, channel) for channel in range(len(names))]
        if len(files) != len(names):
            raise ValueError(f"there must be one file for each channel, {', '.join(names.values())}, got {len(files)}")
        for file in files:
            if not file.is_file():
                raise FileNotFoundError(f"{file} does not exist; the channels are {', '.join(names.values())}")
        return files

    def _preprocessed(self, files: list[Path], previous: str | Path | None) -> tuple[Tensor, dict[str, Any]]:
        """The image as the networks take it, ``(channel, *spatial)``, and what it takes to go back."""
        predictor = self.predictor
        stage = predictor.configuration_manager.previous_stage_name
        if (stage is not None) != (previous is not None):
            what = "no other stage" if stage is None else f"the label map of {stage}: give Model.refine previous="
            raise ValueError(f"the model needs {what}, got {previous}")
        with redirect_stdout(io.StringIO()):
            preprocessor = predictor.configuration_manager.preprocessor_class(verbose=False)
            data, label, properties = preprocessor.run_case(
                [str(file) for file in files],
                None if previous is None else str(previous),
                predictor.plans_manager,
                predictor.configuration_manager,
                predictor.dataset_json,
            )
        if previous is not None:
            handling = _import("nnunetv2.utilities.label_handling.label_handling")
            classes = predictor.label_manager.foreground_labels
            data = np.vstack((data, handling.convert_labelmap_to_one_hot(label[0], classes, data.dtype)))
        return torch.from_numpy(np.ascontiguousarray(data, dtype=np.float32)), properties

    def _in_windows(self, data: Tensor, *, flat: bool) -> tuple[InWindows, Tensor]:
        """The networks as one network of the padded image, and that image as a batch of one."""
        predictor = self.predictor
        patch = tuple(predictor.configuration_manager.patch_size)
        pad = _import("acvl_utils.cropping_and_padding.padding").pad_nd_image
        padded, inside = pad(data, patch, "constant", {"value": 0}, True, None)
        windows = [slicer[1:] for slicer in predictor._internal_get_sliding_window_slicers(padded.shape[1:])]
        gaussian = _import("nnunetv2.inference.sliding_window_prediction").compute_gaussian
        weight = gaussian(patch, sigma_scale=1.0 / 8, value_scaling_factor=10, device=torch.device("cpu")).float()
        axes = (predictor.allowed_mirroring_axes or ()) if predictor.use_mirroring else ()
        views = [some for count in range(len(axes) + 1) for some in itertools.combinations(axes, count)]
        kept: list[Any] = list(inside[1:])
        if flat:
            kept[0] = kept[0].start
        network = InWindows(self._networks(), windows, weight, mirrored=views, inside=kept).to(predictor.device).eval()
        return network, padded[None].to(predictor.device)

    def _networks(self) -> list[torch.nn.Module]:
        plain = getattr(self.predictor.network, "_orig_mod", self.predictor.network)  # not as torch.compile wraps it
        networks = []
        for weights in self.predictor.list_of_parameters:
            network = copy.deepcopy(plain)
            network.load_state_dict(weights)
            networks.append(network)
        return networks

    def _exported(self, logits: Tensor, properties: dict[str, Any], *, flat: bool) -> Array:
        """Probabilities ``(channel, z, y, x)`` on the grid of the image, by nnU-Net's own export."""
        export = _import("nnunetv2.inference.export_prediction")
        predictor = self.predictor
        channels = (logits[0][:, None] if flat else logits[0]).cpu()
        _, probability = export.convert_predicted_logits_to_segmentation_with_correct_shape(
            channels,
            predictor.plans_manager,
            predictor.configuration_manager,
            predictor.label_manager,
            properties,
            return_probabilities=True,
            num_threads_torch=torch.get_num_threads(),
        )
        return np.asarray(probability, dtype=np.float32)


def _folds(folder: Path, checkpoint: str) -> list[str]:
    found = sorted(place.parent.name.removeprefix("fold_") for place in folder.glob(f"fold_*/{checkpoint}"))
    folds = [fold for fold in found if fold != "all"] or found
    if not folds:
        raise FileNotFoundError(f"{folder} has no fold with {checkpoint}")
    return folds


@contextmanager
def _our_trainers() -> Iterator[None]:
    """nnU-Net looks up the class of the trainer that made a model: also in the folder of ours."""
    name = "nnUNet_extTrainer"
    before = os.environ.get(name)
    os.environ[name] = os.pathsep.join([*([before] if before else []), str(TRAINERS)])
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


def _import(name: str) -> Any:
    import importlib

    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise ImportError(f"a model of nnU-Net needs nnU-Net ({error}): pip install 'topoprior[nnunet]'") from error
