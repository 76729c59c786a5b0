"""Trains a detector on a manifest, from checkpoint to checkpoint."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from models.registry import Registry, WeightsError, entry_named, find_weights
from models.train.bn_recalibration import batches
from models.train.manifest import read_manifest
from models.train.onnx_weights import save_checkpoint
from models.train.options import TrainOptions, read_options, write_options
from models.train.ultralytics_env import isolate_ultralytics
from models.train.yolo_folder import YoloFolder, write_yolo_folder

SCRATCH = "scratch"
_WIDTH, _MOST_CHANNELS = 0.1875, 768  # of YOLO11: three quarters of its smallest edition, n


@dataclass(frozen=True, slots=True)
class Epoch:
    """How far a run is.

    Attributes:
        number: From 1.
        of: Epochs planned; with a time limit it changes as the run finds out how long one takes.
        losses: By name, each the mean over the epoch.
        map50: On the val split; None where it was not measured.
    """

    number: int
    of: int
    losses: dict[str, float]
    map50: float | None


Watch = Callable[[Epoch], None]


def start(
    manifest: Path,
    run: Path,
    options: TrainOptions,
    registry: Registry,
    weights_folder: Path,
    watch: Watch | None = None,
) -> YoloFolder:
    """Train from the beginning.

    The folder gets ``run.json``, ``dataset/``, ``weights/last.pt`` after every epoch and ``weights/best.pt``,
    ``results.csv``, and curves drawn in ``results.png``.

    Raises:
        WeightsError: the base is not there, or a run is already in the folder.
        BadLabels: the manifest cannot be learnt from.
    """
    if (run / "weights" / "last.pt").exists():
        raise WeightsError(f"{run}: holds a run already; take it up with --resume, or name another folder")
    isolate_ultralytics()
    base = find_base(options.base, run, registry, weights_folder)
    folder = write_yolo_folder(read_manifest(manifest), run / "dataset", options.size_px)
    if base.suffix == ".onnx":
        base = save_checkpoint(base, run / "base.pt", batches(folder.settings.parent, options.size_px))
    options = without_false_blanks(options, folder)
    write_options(options, run)
    from ultralytics import YOLO

    _train(YOLO(str(base)), options, watch, **_settings(options, run, folder.settings))
    return folder


def resume(manifest: Path, run: Path, watch: Watch | None = None) -> YoloFolder:
    """Take up a run that was interrupted, after the last epoch that it had finished.

    Raises:
        WeightsError: there is no such run, it is finished, or it was on another list of pictures.
    """
    options = read_options(run)
    found = manifest_hash(manifest)
    if found != options.manifest_sha256:
        raise WeightsError(
            f"{run}: was trained on a manifest with sha256 {options.manifest_sha256}, {manifest} has {found}"
        )
    last = run / "weights" / "last.pt"
    if not last.is_file():
        raise WeightsError(f"{last}: no such checkpoint: the run ended before its first epoch; start it again")
    isolate_ultralytics()
    folder = write_yolo_folder(read_manifest(manifest), run / "dataset", options.size_px)
    from ultralytics import YOLO
    from ultralytics.nn.tasks import load_checkpoint

    if load_checkpoint(last)[1].get("optimizer") is None:
        raise WeightsError(f"{run}: this run is finished; begin another with --base {run / 'weights' / 'best.pt'}")
    _train(YOLO(str(last)), options, watch, resume=str(last), data=str(folder.settings))
    return folder


def without_false_blanks(options: TrainOptions, folder: YoloFolder) -> TrainOptions:
    """Take no corner for empty where somebody may not have looked for all that is in it."""
    if not folder.counts["partly_known"]:
        return options
    return msgspec.structs.replace(options, shares=msgspec.structs.replace(options.shares, empty=0.0))


def manifest_hash(manifest: Path) -> str:
    """Return the sha256 of a manifest.

    Raises:
        OSError: it is not there.
    """
    return hashlib.sha256(manifest.read_bytes()).hexdigest()


def find_base(base: str, run: Path, registry: Registry, weights_folder: Path) -> Path:
    """Find what to start from: a file that ultralytics opens, or an ONNX file; what must be made goes into the folder.

    Raises:
        WeightsError: it is neither a model's name nor a file of a kind that can be trained.
    """
    run.mkdir(parents=True, exist_ok=True)
    if base == SCRATCH:
        return _architecture(run / "architecture.yaml")
    path = Path(base)
    if not path.is_file():
        path = find_weights(entry_named(base, registry), weights_folder)
    if path.suffix in (".pt", ".yaml", ".yml", ".onnx"):
        return path
    raise WeightsError(f"{path}: expected a .pt, a .yaml, an .onnx that `wildpost models export` made, or scratch")


def _architecture(path: Path) -> Path:
    """Write the network that wildpost-nano has: YOLO11, narrower than its smallest edition."""
    import yaml
    from ultralytics.utils import ROOT

    read = yaml.safe_load((ROOT / "cfg" / "models" / "11" / "yolo11.yaml").read_text(encoding="utf-8"))
    read["scales"] = {"n": [0.5, _WIDTH, _MOST_CHANNELS]}
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
        "amp": False,  # checking whether it works would download a network
        "patience": options.epochs,
        "close_mosaic": min(10, options.epochs // 5),  # the last epochs see whole pictures
    }
    if options.minutes is not None:
        chosen["time"] = options.minutes / 60
    if options.device is not None:
        chosen["device"] = options.device
    if options.learning_rate is not None:
        chosen |= {"optimizer": "AdamW", "lr0": options.learning_rate, "lrf": 0.02, "warmup_bias_lr": 0.0}
    return chosen


def _train(model: Any, options: TrainOptions, watch: Watch | None, **settings: Any) -> None:
    from models.train.field_trainer import FieldTrainer

    class Trainer(FieldTrainer):
        """With the shares of this run."""

        shares = options.shares

    def report(trainer: Any) -> None:
        if watch is not None and trainer.tloss is not None:
            losses = {name: float(value) for name, value in trainer.label_loss_items(trainer.tloss, "").items()}
            map50 = (trainer.metrics or {}).get("metrics/mAP50(B)")
            watch(Epoch(trainer.epoch + 1, trainer.epochs, losses, None if map50 is None else float(map50)))

    model.add_callback("on_model_save", report)
    model.train(trainer=Trainer, **settings)
