"""Puts the weights of an ONNX file back into the torch network that it was exported from."""

import ast
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.registry import WeightsError
from models.train.bn_recalibration import recalibrate_batch_norm

ARCHITECTURE = "wildpost_architecture"  # the ONNX metadata that says how the network is built


def save_checkpoint(onnx_file: Path, checkpoint: Path, batches: Iterable[NDArray[np.float32]] = ()) -> Path:
    """Write an ultralytics checkpoint with an ONNX file's weights, to run or to train further.

    Args:
        onnx_file: Exported by `wildpost models export`: it says in its metadata how the network is built.
        checkpoint: The file to write; its name ends in .pt.
        batches: Inputs like those that it will learn from, to settle its normalisations; to run it, none are needed.

    Returns:
        The checkpoint.

    Raises:
        WeightsError: the ONNX file does not say how it was built, or has not the layers that this needs.
    """
    import torch

    network, names = rebuild(onnx_file)
    recalibrate_batch_norm(network, batches)
    network.names = names
    torch.save({"model": network.half(), "train_args": {"task": "detect", "imgsz": 320}, "epoch": -1}, checkpoint)
    return checkpoint


def rebuild(onnx_file: Path) -> tuple[Any, dict[int, str]]:
    """Build the torch network and give it the weights.

    The export has folded each batch normalisation into the convolution before it. It is put back as one that changes
    nothing: scale 1, mean 0, and the convolution's offset as its own, so that training can go on from there.

    Returns:
        The ultralytics ``DetectionModel``, and its classes by number.

    Raises:
        WeightsError: as ``save_checkpoint``.
    """
    import onnx
    import torch
    from onnx import numpy_helper
    from ultralytics.nn.tasks import DetectionModel

    read = onnx.load(onnx_file)
    metadata = {entry.key: entry.value for entry in read.metadata_props}
    if ARCHITECTURE not in metadata or "names" not in metadata:
        raise WeightsError(f"{onnx_file}: its metadata does not say {ARCHITECTURE!r} and 'names': expected our export")
    names: dict[int, str] = ast.literal_eval(metadata["names"])
    network = DetectionModel(ast.literal_eval(metadata[ARCHITECTURE]), nc=len(names), verbose=False)
    values = {entry.name: entry for entry in read.graph.initializer}
    for node in read.graph.node:
        if node.op_type == "Identity" and node.input[0] in values:
            values[node.output[0]] = values[node.input[0]]  # the exporter keeps equal values once
    modules = dict(network.named_modules())
    wanted = {name for name, module in modules.items() if isinstance(module, torch.nn.Conv2d) and ".dfl" not in name}
    for node in read.graph.node:
        name = _module_of(node.name)
        if node.op_type != "Conv" or name not in wanted:
            continue
        weight, offset = (torch.from_numpy(numpy_helper.to_array(values[key]).copy()) for key in node.input[1:3])
        _give(modules, name, weight, offset)
        wanted.discard(name)
    if wanted:
        raise WeightsError(f"{onnx_file}: has no convolution for {', '.join(sorted(wanted)[:3])}")
    return network, names


def _module_of(node: str) -> str:
    """Tell which module a node came from: /model.23/cv3.0/cv3.0.1/cv3.0.1.0/conv/Conv is model.23.cv3.0.1.0.conv."""
    parts: list[str] = []
    for part in node.strip("/").split("/")[:-1]:
        if parts and part.startswith(f"{parts[-1]}."):
            parts[-1] = part  # the exporter repeats what a list of lists is called
        else:
            parts.append(part)
    return ".".join(parts)


def _give(modules: dict[str, Any], name: str, weight: Any, offset: Any) -> None:
    import torch

    convolution = modules[name]
    if convolution.weight.shape != weight.shape:
        raise WeightsError(f"{name}: {tuple(weight.shape)} in the file, expected {tuple(convolution.weight.shape)}")
    with torch.no_grad():
        convolution.weight.copy_(weight)
        if convolution.bias is not None:
            convolution.bias.copy_(offset)
            return
        normalisation = modules[name.removesuffix("conv") + "bn"]
        normalisation.weight.fill_((1 + normalisation.eps) ** 0.5)
        normalisation.bias.copy_(offset)
        normalisation.running_mean.zero_()
        normalisation.running_var.fill_(1)
