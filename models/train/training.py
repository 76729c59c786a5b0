"""Runs the training of a vision network on the pictures of a manifest, and resumes it from a checkpoint."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from models.pickle_trust import check_trusted
from models.registry import Registry, WeightsError, entry_named, find_weights
from models.train.bn_recalibration import read_batches
from models.train.manifest import read_manifest
from models.train.onnx_weights import check_architecture, save_checkpoint
from models.train.options import TrainOptions, read_options, write_options
from models.train.ultralytics_env import isolate_ultralytics
from models.train.yolo_folder import YoloFolder, write_yolo_folder

SCRATCH = "scratch"
_WIDTH, _MAX_CHANNELS = 0.1875, 768  # YOLO11 with three quarters of the width of its smallest edition, n


@dataclass(frozen=True, slots=True)
class Epoch:
    """Losses and accuracy of a vision network after one epoch of training.

    Attributes:
        number: Number of the epoch, from 1.
        of: Planned number of epochs; with a time limit, it changes with the measured duration of an epoch.
        losses: Mean of each loss over the epoch, by name.
        map50: mAP50 on the split val; None if it was not measured.
    """

    number: int
    of: int
    losses: dict[str, float]
    map50: float | None


OnEpoch = Callable[[Epoch], None]


def start(
    manifest: Path,
    run: Path,
    options: TrainOptions,
    registry: Registry,
    weights_folder: Path,
    on_epoch: OnEpoch | None = None,
) -> YoloFolder:
    """Train a vision network on the pictures of a manifest in the folder of a new training run.

    It writes ``run.json``, ``dataset/``, ``weights/last.pt`` after every epoch, ``weights/best.pt``, ``results.csv``
    and diagrams in ``results.png`` to the folder.

    Args:
        manifest: The manifest of the dataset.
        run: The folder of the run.
        options: Training options.
        registry: The registry that contains the base, if the base is the name of a model.
        weights_folder: The folder in which ``wildpost models pull`` stores weights.
        on_epoch: Called after each epoch.

    Raises:
        UntrustedPickle: the base is a checkpoint whose hash is not trusted.
        WeightsError: the base does not exist, or the folder already contains a run.
        BadLabels: the manifest has no pictures with boxes in the splits train and val.
    """
    if (run / "weights" / "last.pt").exists():
        raise WeightsError(f"{run}: holds a run already; resume it with --resume, or name another folder")
    import yaml

    isolate_ultralytics()
    base = find_base(options.base, run, registry, weights_folder)
    if base.suffix == ".pt":
        check_trusted(base)
    elif base.suffix in (".yaml", ".yml"):
        check_architecture(yaml.safe_load(base.read_text(encoding="utf-8")), base)
    folder = write_yolo_folder(read_manifest(manifest), run / "dataset", options.size_px)
    if base.suffix == ".onnx":
        base = save_checkpoint(base, run / "base.pt", read_batches(folder.settings.parent, options.size_px))
    options = disable_unsafe_empty_crops(options, folder)
    write_options(options, run)
    from ultralytics import YOLO

    _train(YOLO(str(base)), options, on_epoch, **_settings(options, run, folder.settings))
    return folder


def resume(manifest: Path, run: Path, on_epoch: OnEpoch | None = None) -> YoloFolder:
    """Resume an interrupted training run of a vision network after its last finished epoch.

    Raises:
        UntrustedPickle: the hash of its last checkpoint is not trusted.
        WeightsError: there is no such run, it is finished, or it used another manifest.
    """
    options = read_options(run)
    check_manifest(manifest, run, options)
    last = run / "weights" / "last.pt"
    if not last.is_file():
        raise WeightsError(f"{last}: no such checkpoint: the run ended before its first epoch; start a new run")
    check_trusted(last)
    isolate_ultralytics()
    folder = write_yolo_folder(read_manifest(manifest), run / "dataset", options.size_px)
    from ultralytics import YOLO
    from ultralytics.nn.tasks import load_checkpoint

    if load_checkpoint(last)[1].get("optimizer") is None:
        raise WeightsError(f"{run}: this run is finished; start a new one with --base {run / 'weights' / 'best.pt'}")
    _train(YOLO(str(last)), options, on_epoch, resume=str(last), data=str(folder.settings))
    return folder


def disable_unsafe_empty_crops(options: TrainOptions, folder: YoloFolder) -> TrainOptions:
    """Set the probability of ``empty_scene`` to 0 in the options if some pictures are not labelled for all kinds.

    A crop without boxes of such a picture may contain an object of an unlabelled kind.
    """
    if not folder.counts["partly_known"]:
        return options
    return msgspec.structs.replace(options, shares=msgspec.structs.replace(options.shares, empty=0.0))


def manifest_hash(manifest: Path) -> str:
    """Return the sha256 of a manifest file, in hexadecimal.

    Raises:
        OSError: the file cannot be read.
    """
    return hashlib.sha256(manifest.read_bytes()).hexdigest()


def check_manifest(manifest: Path, run: Path, options: TrainOptions) -> None:
    """Check that a run was trained on a manifest.

    Raises:
        WeightsError: it was trained on another one.
    """
    found = manifest_hash(manifest)
    if found != options.manifest_sha256:
        raise WeightsError(
            f"{run}: was trained on a manifest with sha256 {options.manifest_sha256}, {manifest} has {found}"
        )


def find_base(base: str, run: Path, registry: Registry, weights_folder: Path) -> Path:
    """Return the path of the network file from which training starts: a checkpoint, an architecture or an ONNX file.

    For ``scratch``, the architecture is written into the folder of the run.

    Raises:
        WeightsError: ``base`` is neither the name of a model nor a file that can be trained.
    """
    run.mkdir(parents=True, exist_ok=True)
    if base == SCRATCH:
        return _write_architecture(run / "architecture.yaml")
    path = Path(base)
    if not path.is_file():
        path = find_weights(entry_named(base, registry), weights_folder)
    if path.suffix in (".pt", ".yaml", ".yml", ".onnx"):
        return path
    raise WeightsError(f"{path}: expected a .pt, a .yaml, an .onnx of `wildpost models export`, or scratch")


def _write_architecture(path: Path) -> Path:
    """Write the architecture file of the network wildpost-nano, which is narrower than YOLO11n."""
    import yaml
    from ultralytics.utils import ROOT

    read = yaml.safe_load((ROOT / "cfg" / "models" / "11" / "yolo11.yaml").read_text(encoding="utf-8"))
    read["scales"] = {"n": [0.5, _WIDTH, _MAX_CHANNELS]}
    path.write_text(yaml.safe_dump(read, sort_keys=False), encoding="utf-8")
    return path


def _settings(options: TrainOptions, run: Path, data: Path) -> dict[str, Any]:
    chosen: dict[str, Any] = {
        "data": str(data),
        "imgsz": options.size_px,
        "epochs": options.epochs,
        "batch": options.batch,
        "workers": options.workers,
        "seed": options.seed,
        "mosaic": options.mosaic,
        "cos_lr": True,
        "project": str(run.resolve().parent),
        "name": run.resolve().name,
        "exist_ok": True,
        "plots": True,
        "amp": False,  # its self-test would download a network
        "patience": options.epochs,
        "close_mosaic": min(10, options.epochs // 5),  # no mosaics in the last epochs
    }
    if options.minutes is not None:
        chosen["time"] = options.minutes / 60
    if options.device is not None:
        chosen["device"] = options.device
    if options.learning_rate is not None:
        chosen |= {"optimizer": "AdamW", "lr0": options.learning_rate, "lrf": 0.02, "warmup_bias_lr": 0.0}
    return chosen


def _train(model: Any, options: TrainOptions, on_epoch: OnEpoch | None, **settings: Any) -> None:
    from models.train.field_trainer import FieldTrainer

    class Trainer(FieldTrainer):
        """Ultralytics trainer with the augmentation probabilities of this training run."""

        shares = options.shares

    def report(trainer: Any) -> None:
        if on_epoch is not None and trainer.tloss is not None:
            losses = {name: float(value) for name, value in trainer.label_loss_items(trainer.tloss, "").items()}
            map50 = (trainer.metrics or {}).get("metrics/mAP50(B)")
            on_epoch(Epoch(trainer.epoch + 1, trainer.epochs, losses, None if map50 is None else float(map50)))

    model.add_callback("on_model_save", report)
    model.train(trainer=Trainer, **settings)
