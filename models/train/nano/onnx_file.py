"""Writes the trained network as an ONNX file with half-precision weights, and restores it from such a file."""

import ast
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray

from models.evaluate.labels import KINDS
from models.registry import ClassMeaning, VisionFacts, WeightsError
from models.train.bn_recalibration import recalibrate_batch_norm
from models.train.export import ExportResult, compare_with_onnx
from models.train.half_precision import fold_to_half, write_onnx
from models.train.nano.base import ARCHITECTURE, NETWORK
from models.train.nano.network import ExportedNetwork, NanoNetwork
from models.train.onnx_weights import copy_weights

_NORMS = {"_conv_stem": "_bn0", "_expand_conv": "_bn0", "_depthwise_conv": "_bn1", "_project_conv": "_bn2", "0": "1"}


def export_network(
    network: NanoNetwork, target: Path, size_px: int, threshold: float = 0.25, half: bool = True
) -> ExportResult:
    """Write a network as an ONNX file for one input size, and compare its output with torch.

    Args:
        network: The network; left in evaluation mode.
        target: The ONNX file to write.
        size_px: Width and height of the input, a multiple of 32.
        threshold: The threshold for the registry entry.
        half: Whether to store the weights in half precision.

    Raises:
        WeightsError: the output of ONNX Runtime differs from torch.
    """
    if half:
        fold_to_half(network, _norm_of)
    model = ExportedNetwork(network, size_px).eval()
    write_onnx(model, target, size_px, {"names": str(dict(enumerate(KINDS))), ARCHITECTURE: NETWORK}, half)
    difference, _ = compare_with_onnx(model, target, size_px)
    meanings: dict[str, ClassMeaning] = {
        kind: ClassMeaning(label=_label(kind), observation_type=kind) for kind in KINDS
    }
    facts = VisionFacts(
        head="yolov8", width=size_px, height=size_px, classes=KINDS, meanings=meanings, threshold=threshold
    )
    return ExportResult(target, facts, difference)


def export_run(run: Path, target: Path, size_px: int, threshold: float = 0.25) -> ExportResult:
    """Export the result of a training run; see ``export_network``.

    Raises:
        WeightsError: the run is not finished, or see ``export_network``.
    """
    best = run / "weights" / "best.pt"
    if not best.is_file():
        raise WeightsError(f"{best}: no such file: the run is not finished; continue it with --resume")
    network = NanoNetwork()
    network.load_state_dict(torch.load(best, map_location="cpu", weights_only=True))
    return export_network(network, target, size_px, threshold)


def read_network(path: Path, batches: Iterable[NDArray[np.float32]] = ()) -> NanoNetwork:
    """Restore a network from its ONNX file, in order to train it further.

    The export folded each batch normalisation into the convolution before it. It is restored with scale 1 and mean 0,
    which leaves the output unchanged, and then recalibrated on the batches.

    Args:
        path: A file of ``export_network``.
        batches: Inputs (n, 3, height, width) like those of the training.

    Raises:
        WeightsError: the file has another architecture or lacks a layer.
    """
    model = onnx.load(path)
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    names = tuple(ast.literal_eval(metadata.get("names", "{}")).values())
    if metadata.get(ARCHITECTURE) != NETWORK or names != KINDS:
        raise WeightsError(f"{path}: expected the network {NETWORK!r} with the classes {', '.join(KINDS)}")
    network = NanoNetwork()
    copy_weights(model, network, path, _norm_of, "net.")
    recalibrate_batch_norm(network, batches)
    return network


def _label(kind: str) -> str:
    return "person" if kind == "human" else kind


def _norm_of(convolution: str) -> str:
    """Return the name of the batch normalisation behind the convolution of a name; "" for one with a bias."""
    parent, _, own = convolution.rpartition(".")
    return f"{parent}.{_NORMS[own]}" if own in _NORMS else ""
