"""Writes a torch network as an ONNX file whose weights are stored in half precision."""

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

from models.train.export import OPSET
from models.train.onnx_weights import set_folded_weights


def write_onnx(network: Any, target: Path, size_px: int, metadata: Mapping[str, str], half: bool = True) -> None:
    """Write a network as an ONNX file for batches of one picture (1, 3, size, size).

    With ``half``, weights are stored as float16 and converted to float32 when the file is loaded, so that the file has
    half the size and the arithmetic stays in float32; ``fold_to_half`` gives the network the same weights.

    Args:
        network: The network in evaluation mode; one tensor is its output.
        target: The ONNX file to write.
        size_px: Width and height of the input.
        metadata: Entries of the file's metadata.
        half: Whether to store the weights in half precision.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    example = torch.zeros(1, 3, size_px, size_px)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # torch warns about its older exporter, which alone keeps the module names
        torch.onnx.export(
            network,
            example,
            target,
            input_names=["images"],
            output_names=["output0"],
            opset_version=OPSET,
            dynamo=False,
        )
    written = onnx.load(target)
    _move_padding_into_convolutions(written.graph)
    if half:
        _store_half(written.graph)
    for key, value in metadata.items():
        written.metadata_props.append(onnx.StringStringEntryProto(key=key, value=value))
    onnx.checker.check_model(written)
    onnx.save(written, target)


def fold_to_half(network: Any, norm_of: Callable[[str], str]) -> None:
    """Fold the batch normalisations, so that torch computes with the weights that the file will contain.

    Args:
        network: A torch network of convolutions and linear layers; changed in place, and left in evaluation mode.
        norm_of: Returns the module name of the batch normalisation after a convolution.
    """
    modules = dict(network.named_modules())
    network.eval()
    with torch.no_grad():
        for name, convolution in modules.items():
            if not isinstance(convolution, torch.nn.Conv2d | torch.nn.Linear):
                continue
            if convolution.bias is not None:
                convolution.weight.copy_(convolution.weight.half().float())
                convolution.bias.copy_(convolution.bias.half().float())
                continue
            norm = modules[norm_of(name)]
            slope = norm.weight / (norm.running_var + norm.eps).sqrt()
            weight = (convolution.weight * slope.view(-1, 1, 1, 1)).half().float()
            offset = (norm.bias - norm.running_mean * slope).half().float()
            set_folded_weights(convolution, norm, weight, offset)


def _store_half(graph: Any) -> None:
    """Convert the weights of the layers to float16, with a node that converts each back to float32."""
    used = {key for node in graph.node if node.op_type in ("Conv", "Gemm") for key in node.input[1:]}
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
