"""Trains the network of wildpost-nano 2 on the pictures of a manifest, within a number of minutes or of epochs."""

import copy
import math
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from captures.decoded import Unreadable
from captures.picture import read_picture
from models.evaluate.labels import BadLabels
from models.registry import Registry, WeightsError
from models.train.manifest import ManifestRow, read_manifest, rows_of_split
from models.train.nano.backbone import load_imagenet
from models.train.nano.base import IMAGENET
from models.train.nano.colours import BatchMaker
from models.train.nano.loss import DetectionLoss
from models.train.nano.network import NanoNetwork, cell_centres
from models.train.nano.onnx_file import read_network
from models.train.nano.picture_store import PictureStore
from models.train.options import TrainOptions, write_options
from models.train.training import Epoch, find_base
from models.vision.letterbox import letterbox

LAST, BEST = "last.pt", "best.pt"
_CALIBRATION = 256  # pictures from which batch normalisations are recalibrated
_RATES = {IMAGENET: 2e-3, "shipped": 5e-4}
_BACKBONE_RATE, _DECAY, _WARM_UP, _CALM_FROM = 0.35, 0.03, 0.05, 0.7
_OTHER_SIZE = 0.2  # share of batches at a size other than that of the run, so that the network serves several sizes
_AVERAGE = 0.998
_SAVE_EVERY_S = 60.0


def start(
    manifest: Path,
    run: Path,
    options: TrainOptions,
    registry: Registry,
    weights_folder: Path,
    on_epoch: Callable[[Epoch], None] | None = None,
) -> dict[str, int]:
    """Train in the folder of a new run; the result is the exponential average of the weights, ``weights/best.pt``.

    Args:
        manifest: The manifest of the dataset.
        run: The folder of the run.
        options: Training options; ``base`` is ``imagenet``, or a model or an ONNX file of this network.
        registry: The registry that contains the base, if the base is the name of a model.
        weights_folder: The folder in which ``wildpost models pull`` stores weights.
        on_epoch: Called after each pass over the data.

    Returns:
        The number of pictures of the splits train and val.

    Raises:
        WeightsError: the folder already contains a run, or the base cannot be used.
        BadLabels: the manifest has no usable training pictures.
    """
    if (run / "weights" / BEST).exists():
        raise WeightsError(f"{run}: holds a run already; resume it with --resume, or name another folder")
    rows = read_manifest(manifest)
    training = usable_rows(rows)
    if not any(row.truths for row in training):
        raise BadLabels(f"{manifest}: no picture with boxes in the split train")
    torch.manual_seed(options.seed)
    network = _initial_network(options, run, registry, weights_folder, training)
    write_options(options, run)
    trainer = Trainer(network, training, options, run / "weights", on_epoch)
    trainer.train()
    return {"train": trainer.pictures, "val": len(rows_of_split(rows, "val"))}


def resume(manifest: Path, run: Path, options: TrainOptions, on_epoch: Callable[[Epoch], None] | None = None) -> int:
    """Continue an interrupted run from its last saved state; return its number of training pictures.

    Raises:
        WeightsError: the run has not saved a state yet, or is finished.
    """
    last = run / "weights" / LAST
    if not last.is_file():
        found = "is finished" if (run / "weights" / BEST).is_file() else "has saved nothing yet"
        raise WeightsError(f"{run}: this run {found}; start a new one")
    trainer = Trainer(NanoNetwork(), usable_rows(read_manifest(manifest)), options, run / "weights", on_epoch)
    trainer.load(torch.load(last, map_location=trainer.device, weights_only=True))
    trainer.train()
    return trainer.pictures


def usable_rows(rows: Sequence[ManifestRow]) -> list[ManifestRow]:
    """Return the training pictures with boxes, and those in which something was looked for and nothing found."""
    return [row for row in rows_of_split(rows, "train") if not row.shows and (row.truths or row.known)]


class Trainer:
    """One training run.

    Attributes:
        device: The torch device.
        pictures: Number of readable training pictures.
    """

    def __init__(
        self,
        network: NanoNetwork,
        rows: Sequence[ManifestRow],
        options: TrainOptions,
        folder: Path,
        on_epoch: Callable[[Epoch], None] | None,
    ) -> None:
        self.device = _device(options.device)
        self._options, self._folder, self._on_epoch = options, folder, on_epoch
        store = PictureStore(rows, self.device)
        self.pictures = store.count
        self._batches = BatchMaker(store, options.seed)
        self._network = network.to(self.device, memory_format=torch.channels_last).train()
        self._average = copy.deepcopy(self._network).eval().requires_grad_(False)
        rate = options.learning_rate or _RATES.get(options.base, _RATES["shipped"])
        self._optimizer = torch.optim.AdamW(_parameter_groups(self._network, rate), lr=rate, betas=(0.9, 0.99))
        self._loss = DetectionLoss(self._network)
        self._chance = np.random.default_rng(options.seed)
        self._points: dict[int, tuple[Any, Any]] = {}
        self._done, self._steps = 0.0, 0

    def load(self, state: dict[str, Any]) -> None:
        """Restore the state that ``train`` saved."""
        self._network.load_state_dict(state["network"])
        self._average.load_state_dict(state["average"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._done, self._steps = float(state["done"]), int(state["steps"])

    def train(self) -> None:
        """Train until the minutes or the epochs of the options are used up, and write the average of the weights."""
        began = saved = time.monotonic()
        first, seconds = self._done, (self._options.minutes or 0) * 60
        epoch_steps = max(1, round(self.pictures / self._options.batch))
        sums = torch.zeros(3, device=self.device)
        while self._done < 1:
            sums += self._step(self._done)
            self._steps += 1
            if seconds:  # a resumed run has the rest of its minutes
                self._done = first + (time.monotonic() - began) / seconds
            else:
                self._done = self._steps / (self._options.epochs * epoch_steps)
            if self._steps % epoch_steps == 0:
                self._report(self._steps // epoch_steps, sums / epoch_steps)
                sums.zero_()
            if time.monotonic() - saved > _SAVE_EVERY_S:
                self._save_state()
                saved = time.monotonic()
        self._folder.mkdir(parents=True, exist_ok=True)
        state = {name: value.cpu() for name, value in self._average.state_dict().items()}
        torch.save(state, self._folder / BEST)
        (self._folder / LAST).unlink(missing_ok=True)

    def _step(self, done: float) -> Any:
        size = self._options.size_px
        if self._chance.random() < _OTHER_SIZE:
            size = int(self._chance.choice([round(size * share / 32) * 32 for share in (0.77, 1.23)]))
        if size not in self._points:
            self._points[size] = cell_centres(size, self.device)
        points, strides = self._points[size]
        warm = done / _WARM_UP if done < _WARM_UP else 1.0
        fall = 0.02 + 0.49 * (1 + math.cos(math.pi * max(0.0, done - _WARM_UP) / (1 - _WARM_UP)))
        for group in self._optimizer.param_groups:
            group["lr"] = group["rate"] * min(warm, fall)
        calm = done >= _CALM_FROM
        with torch.no_grad():
            mosaic = 0.0 if calm else self._options.mosaic
            pictures, targets, weights = self._batches.make(self._options.batch, size, points, mosaic, calm)
        with torch.autocast(self.device, torch.bfloat16, enabled=self.device == "cuda"):
            kinds, sides = self._network(pictures.contiguous(memory_format=torch.channels_last))
        loss, losses = self._loss(kinds, sides, targets, points, strides, weights)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self._network.parameters(), 10.0)
        if math.isfinite(float(norm)):  # otherwise this batch is left out
            self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        keep = _AVERAGE * (1 - math.exp(-(self._steps + 1) / 250))
        own, average = self._network.state_dict(), self._average.state_dict()
        with torch.no_grad():
            for name, value in average.items():
                if value.is_floating_point():
                    value.lerp_(own[name], 1 - keep)
        return losses

    def _report(self, number: int, losses: Any) -> None:
        if self._on_epoch is None:
            return
        box, kind, distance = losses.tolist()
        planned = max(number, round(number / max(self._done, 1e-6))) if self._options.minutes else self._options.epochs
        self._on_epoch(Epoch(number, planned, {"box": box, "class": kind, "distance": distance}, None))

    def _save_state(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        state = {
            "network": self._network.state_dict(),
            "average": self._average.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "done": self._done,
            "steps": self._steps,
        }
        torch.save(state, self._folder / f"{LAST}.part")
        (self._folder / f"{LAST}.part").replace(self._folder / LAST)


def _initial_network(
    options: TrainOptions, run: Path, registry: Registry, weights_folder: Path, rows: Sequence[ManifestRow]
) -> NanoNetwork:
    if options.base != IMAGENET:
        path = find_base(options.base, run, registry, weights_folder)
        return read_network(path, _batches_of(rows, options.size_px))
    network = NanoNetwork()
    load_imagenet(network.backbone)
    return network


def _batches_of(rows: Sequence[ManifestRow], size_px: int) -> Iterator[NDArray[np.float32]]:
    for row in rows[:: max(1, len(rows) // _CALIBRATION)]:
        try:
            pixels = read_picture(row.path, size_px).pixels
        except (Unreadable, OSError):
            continue
        yield letterbox(pixels, "yolov8", size_px, size_px)[0][None]


def _parameter_groups(network: NanoNetwork, rate: float) -> list[dict[str, Any]]:
    """Return groups for the optimizer: the backbone learns slower; only full convolutions have weight decay."""
    groups: dict[tuple[bool, bool], list[Any]] = {}
    for name, parameter in network.named_parameters():
        decays = parameter.ndim == 4 and parameter.shape[1] > 1
        groups.setdefault((name.startswith("backbone"), decays), []).append(parameter)
    return [
        {
            "params": parameters,
            "weight_decay": _DECAY if decays else 0.0,
            "rate": rate * (_BACKBONE_RATE if backbone else 1.0),
        }
        for (backbone, decays), parameters in groups.items()
    ]


def _device(chosen: str | None) -> str:
    if chosen is None:
        return "cuda" if torch.cuda.is_available() else "cpu"
    return chosen if chosen == "cpu" else "cuda"
