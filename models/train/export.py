"""Turns a trained network into the ONNX file that a station runs, and makes sure that both say the same."""

import hashlib
import shutil
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.evaluate.labels import Kind
from models.registry import ClassMeaning, Head, Registry, VisionFacts, WeightsError
from models.train.ultralytics_env import isolate_ultralytics

AGREEMENT = 1e-3  # of a score, and of a box as a share of the input
_OPSET = 17  # the newest that both runtimes in pyproject.toml's lowest versions read
_KNOWN: Mapping[str, Kind] = {"animal": "animal", "human": "human", "person": "human", "vehicle": "vehicle"}


@dataclass(frozen=True, slots=True)
class Exported:
    """An ONNX file and what a registry entry needs to know of it.

    Attributes:
        path: The file.
        facts: Head, input, classes and their meanings.
        difference: The largest between torch and ONNX Runtime, of a score or of a box's share of the input.
    """

    path: Path
    facts: VisionFacts
    difference: float


def export_onnx(
    checkpoint: Path,
    target: Path,
    size_px: int,
    meanings: Mapping[str, Kind],
    registry: Registry,
    threshold: float = 0.25,
    pictures: Sequence[NDArray[np.float32]] = (),
) -> Exported:
    """Export an ultralytics checkpoint.

    Args:
        checkpoint: A ``.pt`` of ultralytics. It is a pickle: open only files that you trust.
        target: The ONNX file to write.
        size_px: Width and height of its input.
        meanings: What its classes mean, beside animal, human (person) and vehicle.
        registry: A model in it with the same list of classes lends its meanings.
        threshold: For the registry entry.
        pictures: Inputs (3, size, size) on which to compare; noise is always among them.

    Raises:
        WeightsError: it cannot be opened, no class has a meaning, or the two do not agree.
    """
    isolate_ultralytics()
    network = open_checkpoint(checkpoint)
    names = [str(network.names[at]) for at in sorted(network.names)]
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "network.pt"  # the export is written beside the checkpoint, whatever one asks for
        shutil.copyfile(checkpoint, copy)
        with warnings.catch_warnings():
            # Torch warns that tracing may miss a branch, and of its older exporter, which ultralytics chooses on
            # purpose. Whether the file is right is found out below.
            warnings.simplefilter("ignore")
            options = {"imgsz": size_px, "opset": _OPSET, "simplify": False, "dynamic": False, "device": "cpu"}
            made = Path(network_on(copy).export(format="onnx", **options))
        _describe(made, network.yaml)
        difference, shape = _compare(network, made, size_px, pictures)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(made, target)
    return Exported(
        target, _facts(names, shape, size_px, class_meanings(names, meanings, registry), threshold), difference
    )


def register_checkpoint(
    checkpoint: Path,
    target: Path,
    size_px: int,
    meanings: Mapping[str, Kind],
    registry: Registry,
    threshold: float = 0.25,
) -> Exported:
    """Take a checkpoint into use as it is, for machines that have torch.

    Args:
        checkpoint: A ``.pt`` of ultralytics, that you trust.
        target: Where it is copied to.
        size_px: As ``export_onnx``, and so are the others.
        meanings: As there.
        registry: As there.
        threshold: As there.

    Raises:
        WeightsError: it cannot be opened, or no class has a meaning.
    """
    import torch

    isolate_ultralytics()
    network = open_checkpoint(checkpoint)
    names = [str(network.names[at]) for at in sorted(network.names)]
    with torch.inference_mode():
        said = network(torch.zeros(1, 3, size_px, size_px))
    shape = tuple((said[0] if isinstance(said, tuple | list) else said).shape)
    facts = _facts(names, shape, size_px, class_meanings(names, meanings, registry), threshold)
    target.parent.mkdir(parents=True, exist_ok=True)
    if checkpoint.resolve() != target.resolve():
        shutil.copyfile(checkpoint, target)
    return Exported(target, facts, 0.0)


def class_meanings(names: Sequence[str], given: Mapping[str, Kind], registry: Registry) -> dict[str, ClassMeaning]:
    """Say what each class means; one of which nobody said anything has no meaning and is never reported.

    Raises:
        WeightsError: that would be all of them, or a class is named that the network does not have.
    """
    strangers = sorted(set(given) - set(names))
    if strangers:
        raise WeightsError(f"no class {', '.join(strangers)}: expected some of {', '.join(names)}")
    meanings: dict[str, ClassMeaning] = {}
    for entry in registry.values():
        if entry.vision is not None and entry.vision.classes == tuple(names):
            meanings.update(entry.vision.meanings)
            break
    kinds = {name: kind for name, kind in _KNOWN.items() if name in names and name not in meanings}
    for name, kind in {**kinds, **given}.items():
        meanings[name] = ClassMeaning(label=kind if name in _KNOWN else name, observation_type=kind)
    if not meanings:
        raise WeightsError(f"none of the classes {', '.join(names)} has a meaning: give --class NAME=KIND")
    return meanings


def network_on(checkpoint: Path) -> Any:
    """Open a checkpoint as ultralytics' ``YOLO``.

    Raises:
        WeightsError: it is no detection network of ultralytics.
    """
    import pickle

    from ultralytics import YOLO

    try:
        opened = YOLO(str(checkpoint))
    except (
        OSError,
        RuntimeError,
        KeyError,
        AttributeError,
        TypeError,
        ModuleNotFoundError,
        pickle.PickleError,
    ) as error:
        said = " ".join(str(error).split())
        raise WeightsError(f"{checkpoint}: {said}: expected a checkpoint of ultralytics") from error
    if opened.task != "detect":
        raise WeightsError(f"{checkpoint}: a network for {opened.task!r}: expected 'detect'")
    return opened


def open_checkpoint(checkpoint: Path) -> Any:
    """Open a checkpoint as a torch network, ready to look at pictures: folded, in float32, on the processor.

    Raises:
        WeightsError: as ``network_on``.
    """
    return network_on(checkpoint).model.float().cpu().eval()


def _facts(
    names: Sequence[str], shape: tuple[int, ...], size_px: int, meanings: dict[str, ClassMeaning], threshold: float
) -> VisionFacts:
    head: Head = "end2end" if shape[-1] == 6 else "yolov8"
    return VisionFacts(
        head=head, width=size_px, height=size_px, classes=tuple(names), meanings=meanings, threshold=threshold
    )


def sha256_of(path: Path) -> str:
    """Hash a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _describe(path: Path, architecture: Mapping[str, object]) -> None:
    """Write into the file how the network is built, so that it can be trained further without its checkpoint."""
    import onnx

    from models.train.onnx_weights import ARCHITECTURE

    read = onnx.load(path)
    entry = read.metadata_props.add()
    entry.key, entry.value = ARCHITECTURE, repr(dict(architecture))
    onnx.save(read, path)


def _compare(
    network: Any, path: Path, size_px: int, pictures: Sequence[NDArray[np.float32]]
) -> tuple[float, tuple[int, ...]]:
    import onnxruntime
    import torch

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    noise = np.random.default_rng(0).random((3, size_px, size_px), np.float32)
    worst = 0.0
    for picture in (noise, *pictures):
        batch = picture[None]
        with torch.inference_mode():
            said = network(torch.from_numpy(batch))
        expected = np.asarray((said[0] if isinstance(said, tuple | list) else said).numpy())
        found = np.asarray(session.run(None, {session.get_inputs()[0].name: batch})[0])
        if found.shape != expected.shape:
            raise WeightsError(f"{path.name}: output {found.shape} in ONNX Runtime, {expected.shape} in torch")
        worst = max(worst, _difference(expected, found, size_px))
    if not worst <= AGREEMENT:
        raise WeightsError(f"{path.name}: differs from torch by {worst:.2g}: expected at most {AGREEMENT:g}")
    return worst, expected.shape


def _difference(expected: NDArray[np.float32], found: NDArray[np.float32], size_px: int) -> float:
    """Compare outputs (1, 4 + classes, n) or (1, n, 6): boxes as shares of the input, scores as they are."""
    apart = np.abs(expected.astype(np.float64) - found)
    boxes, rest = (apart[..., :4], apart[..., 4:]) if expected.shape[-1] == 6 else (apart[:, :4], apart[:, 4:])
    return float(max(boxes.max(initial=0) / size_px, rest.max(initial=0)))
