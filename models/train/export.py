"""Exports a trained network as the ONNX file for stations, and verifies that its outputs equal those of torch."""

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
from models.pickle_trust import check_trusted
from models.registry import ClassMeaning, Head, Registry, VisionFacts, WeightsError
from models.runtime_imports import load_onnxruntime
from models.train.ultralytics_env import isolate_ultralytics

AGREEMENT = 1e-3  # maximum difference of a score, and of a box as a fraction of the input
OPSET = 17  # the newest opset that the lowest versions of both runtimes in pyproject.toml support
_KNOWN: Mapping[str, Kind] = {"animal": "animal", "human": "human", "person": "human", "vehicle": "vehicle"}


@dataclass(frozen=True, slots=True)
class ExportResult:
    """The file of an exported network, and the facts about the network for its registry entry.

    Attributes:
        path: Path of the file.
        facts: Head, input size, classes and their meanings.
        difference: Largest difference between torch and ONNX Runtime, of a score or of a box as a fraction of the
            input.
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
) -> ExportResult:
    """Export an ultralytics checkpoint as an ONNX file.

    Args:
        checkpoint: A ``.pt`` file of ultralytics, whose hash must be trusted.
        target: The ONNX file to write.
        size_px: Width and height of its input.
        meanings: The kinds of its classes, in addition to animal, human (person) and vehicle.
        registry: If a model in it has the same list of classes, its meanings are used.
        threshold: The threshold for the registry entry.
        pictures: Inputs (3, size, size) for the comparison with torch; noise is always compared too.

    Raises:
        WeightsError: the checkpoint cannot be opened, no class has a meaning, or the outputs differ from torch.
    """
    isolate_ultralytics()
    network = open_checkpoint(checkpoint)
    names = [str(network.names[at]) for at in sorted(network.names)]
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "network.pt"  # ultralytics always writes the export to the folder of the checkpoint
        shutil.copyfile(checkpoint, copy)
        with warnings.catch_warnings():
            # Torch warns that tracing may miss a branch, and about its older exporter, which ultralytics uses on
            # purpose. The exported file is verified below.
            warnings.simplefilter("ignore")
            options = {"imgsz": size_px, "opset": OPSET, "simplify": False, "dynamic": False, "device": "cpu"}
            exported = Path(open_yolo(copy).export(format="onnx", **options))
        _add_architecture(exported, network.yaml)
        difference, shape = compare_with_onnx(network, exported, size_px, pictures)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(exported, target)
    return ExportResult(
        target, _facts(names, shape, size_px, class_meanings(names, meanings, registry), threshold), difference
    )


def register_checkpoint(
    checkpoint: Path,
    target: Path,
    size_px: int,
    meanings: Mapping[str, Kind],
    registry: Registry,
    threshold: float = 0.25,
) -> ExportResult:
    """Copy an ultralytics checkpoint to ``target`` without exporting it, for use on machines with torch.

    Args:
        checkpoint: A ``.pt`` file of ultralytics, whose hash must be trusted.
        target: The path of the copy.
        size_px: See ``export_onnx``.
        meanings: See ``export_onnx``.
        registry: See ``export_onnx``.
        threshold: See ``export_onnx``.

    Raises:
        WeightsError: the checkpoint cannot be opened, or no class has a meaning.
    """
    import torch

    isolate_ultralytics()
    network = open_checkpoint(checkpoint)
    names = [str(network.names[at]) for at in sorted(network.names)]
    with torch.inference_mode():
        output = network(torch.zeros(1, 3, size_px, size_px))
    shape = tuple((output[0] if isinstance(output, tuple | list) else output).shape)
    facts = _facts(names, shape, size_px, class_meanings(names, meanings, registry), threshold)
    target.parent.mkdir(parents=True, exist_ok=True)
    if checkpoint.resolve() != target.resolve():
        shutil.copyfile(checkpoint, target)
    return ExportResult(target, facts, 0.0)


def class_meanings(names: Sequence[str], given: Mapping[str, Kind], registry: Registry) -> dict[str, ClassMeaning]:
    """Return the meaning of each class of a network; classes without a meaning are left out and never reported.

    Args:
        names: The classes of the network.
        given: The kinds that the user set.
        registry: If a model in it has the same list of classes, its meanings are used.

    Raises:
        WeightsError: no class has a meaning, or the network does not have a class of ``given``.
    """
    unknown = sorted(set(given) - set(names))
    if unknown:
        raise WeightsError(f"no class {', '.join(unknown)}: expected some of {', '.join(names)}")
    meanings: dict[str, ClassMeaning] = {}
    for entry in registry.values():
        if entry.vision is not None and entry.vision.classes == tuple(names):
            meanings.update(entry.vision.meanings)
            break
    kinds = {name: kind for name, kind in _KNOWN.items() if name in names and name not in meanings}
    for name, kind in {**kinds, **given}.items():
        meanings[name] = ClassMeaning(label=kind if name in _KNOWN else name, observation_type=kind)
    if not meanings:
        raise WeightsError(f"none of the classes {', '.join(names)} has a meaning: set it with --class NAME=KIND")
    return meanings


def open_yolo(checkpoint: Path) -> Any:
    """Open an ultralytics checkpoint file as a ``YOLO`` object.

    Raises:
        UntrustedPickle: its hash is not trusted; no code in it was run.
        WeightsError: the file is not a detection network of ultralytics.
    """
    import pickle

    check_trusted(checkpoint)
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
        reason = " ".join(str(error).split())
        raise WeightsError(f"{checkpoint}: {reason}: expected a checkpoint of ultralytics") from error
    if opened.task != "detect":
        raise WeightsError(f"{checkpoint}: a network for {opened.task!r}: expected 'detect'")
    return opened


def open_checkpoint(checkpoint: Path) -> Any:
    """Open an ultralytics checkpoint file as a torch network in evaluation mode, in float32, on the CPU.

    Raises:
        WeightsError: see ``open_yolo``.
    """
    return open_yolo(checkpoint).model.float().cpu().eval()


def _facts(
    names: Sequence[str], shape: tuple[int, ...], size_px: int, meanings: dict[str, ClassMeaning], threshold: float
) -> VisionFacts:
    head: Head = "end2end" if shape[-1] == 6 else "yolov8"
    return VisionFacts(
        head=head, width=size_px, height=size_px, classes=tuple(names), meanings=meanings, threshold=threshold
    )


def _add_architecture(path: Path, architecture: Mapping[str, object]) -> None:
    """Write the architecture of a network into the metadata of its ONNX file.

    With the architecture, training can continue from the ONNX file without the checkpoint.
    """
    import onnx

    from models.train.onnx_weights import ARCHITECTURE

    model = onnx.load(path)
    entry = model.metadata_props.add()
    entry.key, entry.value = ARCHITECTURE, repr(dict(architecture))
    onnx.save(model, path)


def compare_with_onnx(
    network: Any, path: Path, size_px: int, pictures: Sequence[NDArray[np.float32]] = ()
) -> tuple[float, tuple[int, ...]]:
    """Compare the output of a torch network with that of ONNX Runtime on noise and on pictures (3, size, size).

    Returns:
        The largest difference of a score, or of a box as a fraction of the input; and the shape of the output.

    Raises:
        WeightsError: the outputs differ by more than ``AGREEMENT``.
    """
    import torch

    session = load_onnxruntime().InferenceSession(str(path), providers=["CPUExecutionProvider"])
    noise = np.random.default_rng(0).random((3, size_px, size_px), np.float32)
    worst = 0.0
    for picture in (noise, *pictures):
        batch = picture[None]
        with torch.inference_mode():
            output = network(torch.from_numpy(batch))
        expected = np.asarray((output[0] if isinstance(output, tuple | list) else output).numpy())
        found = np.asarray(session.run(None, {session.get_inputs()[0].name: batch})[0])
        if found.shape != expected.shape:
            raise WeightsError(f"{path.name}: output {found.shape} in ONNX Runtime, {expected.shape} in torch")
        worst = max(worst, _difference(expected, found, size_px))
    if not worst <= AGREEMENT:
        raise WeightsError(f"{path.name}: differs from torch by {worst:.2g}: expected at most {AGREEMENT:g}")
    return worst, expected.shape


def _difference(expected: NDArray[np.float32], found: NDArray[np.float32], size_px: int) -> float:
    """Return the largest difference between two outputs of a network, with boxes as fractions of the input.

    The outputs have the shape (1, 4 + classes, n) or (1, n, 6), or (1, classes) of a classifier.
    """
    errors = np.abs(expected.astype(np.float64) - found)
    if expected.ndim == 2:
        return float(errors.max(initial=0))
    boxes, rest = (errors[..., :4], errors[..., 4:]) if expected.shape[-1] == 6 else (errors[:, :4], errors[:, 4:])
    return float(max(boxes.max(initial=0) / size_px, rest.max(initial=0)))
