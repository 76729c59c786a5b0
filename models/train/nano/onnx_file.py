"""Writes the trained network as an ONNX file with half-precision weights, and restores it from such a file."""

import ast
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from models.evaluate.labels import KINDS
from models.registry import ClassMeaning, VisionFacts, WeightsError
from models.train.bn_recalibration import recalibrate_batch_norm
from models.train.export import OPSET, ExportResult, compare_with_onnx
from models.train.nano.base import ARCHITECTURE, NETWORK
from models.train.nano.network import ExportedNetwork, NanoNetwork
from models.train.onnx_weights import copy_weights, set_folded_weights

_NORMS = {"_conv_stem": "_bn0", "_expand_conv": "_bn0", "_depthwise_conv": "_bn1", "_project_conv": "_bn2", "0": "1"}


def export_network(
    network: NanoNetwork, target: Path, size_px: int, threshold: float = 0.25, half: bool = True
) -> ExportResult:
    """Write a network as an ONNX file for one input size, and compare its output with torch.

    With ``half``, weights are stored as float16 and converted to float32 when the file is loaded, so that the file has
    half the size and the arithmetic stays in float32.

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
        _round_to_half(network)
    model = ExportedNetwork(network, size_px).eval()
    target.parent.mkdir(parents=True, exist_ok=True)
    example = torch.zeros(1, 3, size_px, size_px)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # torch warns about its older exporter, which alone keeps the module names
        torch.onnx.export(
            model, example, target, input_names=["images"], output_names=["output0"], opset_version=OPSET, dynamo=False
        )
    written = onnx.load(target)
    _move_padding_into_convolutions(written.graph)
    if half:
        _store_half(written.graph)
    for key, value in {"names": str(dict(enumerate(KINDS))), ARCHITECTURE: NETWORK}.items():
        written.metadata_props.append(onnx.StringStringEntryProto(key=key, value=value))
    onnx.checker.check_model(written)
    onnx.save(written, target)
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


def _round_to_half(network: NanoNetwork) -> None:
    """Fold the batch normalisations, so that torch computes with the weights that the file will contain."""
    modules = dict(network.named_modules())
    network.eval()
    with torch.no_grad():
        for name, convolution in modules.items():
            if not isinstance(convolution, torch.nn.Conv2d):
                continue
            if convolution.bias is not None:
                convolution.weight.copy_(convolution.weight.half().float())
                convolution.bias.copy_(convolution.bias.half().float())
                continue
            norm = modules[_norm_of(name)]
            slope = norm.weight / (norm.running_var + norm.eps).sqrt()
            weight = (convolution.weight * slope.view(-1, 1, 1, 1)).half().float()
            offset = (norm.bias - norm.running_mean * slope).half().float()
            set_folded_weights(convolution, norm, weight, offset)


def _store_half(graph: Any) -> None:
    """Convert the weights of the convolutions to float16, with a node that converts each back to float32."""
    used = {key for node in graph.node if node.op_type == "Conv" for key in node.input[1:]}
    casts = []
    for tensor in graph.initializer:
        if tensor.name not in used:
            continue
        name, values = tensor.name, numpy_helper.to_array(tensor).astype(np.float16)
        tensor.CopyFrom(numpy_helper.from_array(values, f"{name}_half"))
        casts.append(helper.make_node("Cast", [f"{name}_half"], [name], f"/half/{name}", to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def _move_padding_into_convolutions(graph: Any) -> None:
    """Replace the nodes that torch writes for unequal padding by an attribute of the convolution after them."""
    makers = {output: node for node in graph.node for output in node.output}
    for node in graph.node:
        maker = makers.get(node.input[0]) if node.op_type == "Conv" else None
        if maker is None or maker.op_type != "Pad":
            continue
        attributes = {entry.name: entry for entry in node.attribute}
        total = attributes["kernel_shape"].ints[0] - attributes["strides"].ints[0]
        del attributes["pads"].ints[:]
        attributes["pads"].ints.extend([total // 2] * 2 + [total - total // 2] * 2)
        node.input[0] = maker.input[0]
    while unused := [node for node in graph.node if not _is_used(graph, node)]:
        for node in unused:
            graph.node.remove(node)


def _is_used(graph: Any, node: Any) -> bool:
    wanted = {key for other in graph.node for key in other.input} | {output.name for output in graph.output}
    return any(output in wanted for output in node.output)
