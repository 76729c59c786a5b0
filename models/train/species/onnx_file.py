"""Writes a species classifier as an ONNX file with half-precision weights."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.train.export import compare_with_onnx
from models.train.half_precision import fold_to_half, write_onnx
from models.train.species.network import SpeciesNetwork

_NORMS = {"_conv_stem": "_bn0", "_expand_conv": "_bn0", "_depthwise_conv": "_bn1", "_project_conv": "_bn2"}


def export_classifier(
    network: SpeciesNetwork, target: Path, size_px: int, crops: tuple[NDArray[np.float32], ...] = ()
) -> float:
    """Write a classifier as an ONNX file, and compare its output with torch.

    Args:
        network: The network; its weights are rounded to half precision in place.
        target: The ONNX file to write: crops (1, 3, size, size), RGB, 0..1, to logits (1, classes).
        size_px: Width and height of the input.
        crops: Inputs (3, size, size) for the comparison; noise is always compared too.

    Returns:
        The largest difference of a logit.

    Raises:
        WeightsError: the output of ONNX Runtime differs from torch.
    """
    fold_to_half(network, _norm_of)
    write_onnx(network, target, size_px, {"names": str(dict(enumerate(network.classes)))})
    return compare_with_onnx(network, target, size_px, crops)[0]


def _norm_of(convolution: str) -> str:
    parent, _, own = convolution.rpartition(".")
    if own == "_conv_head":
        return "_bn1"
    return f"{parent}.{_NORMS[own]}" if parent else _NORMS[own]
