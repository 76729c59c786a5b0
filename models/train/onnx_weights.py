"""Restores a torch network from the weights and metadata of an exported ONNX file."""

import ast
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.pickle_trust import trust
from models.registry import WeightsError, sha256_of
from models.train.bn_recalibration import recalibrate_batch_norm

ARCHITECTURE = "wildpost_architecture"  # key of the ONNX metadata with the network's architecture
_ACTIVATION = re.compile(r"(?:torch\.)?nn\.[A-Za-z0-9]+\((?:inplace=True|[0-9.]+)?\)")


def save_checkpoint(onnx_file: Path, checkpoint: Path, batches: Iterable[NDArray[np.float32]] = ()) -> Path:
    """Write an ultralytics checkpoint with the weights of an ONNX file, for inference or further training.

    Args:
        onnx_file: An export of `wildpost models export`, with the architecture in its metadata.
        checkpoint: The file to write; its name ends in .pt.
        batches: Inputs like those of the training, to recalibrate its batch normalisations; not needed for inference.

    Returns:
        Path of the checkpoint.

    Raises:
        WeightsError: the metadata of the ONNX file lacks the architecture, or the file lacks a layer of it.
    """
    import torch

    network, names = rebuild(onnx_file)
    recalibrate_batch_norm(network, batches)
    network.names = names
    torch.save({"model": network.half(), "train_args": {"task": "detect", "imgsz": 320}, "epoch": -1}, checkpoint)
    trust([sha256_of(checkpoint)])  # this process has written it
    return checkpoint


def check_architecture(architecture: object, source: Path) -> None:
    """Check that the architecture of a network contains no Python expression that ultralytics would evaluate.

    ultralytics passes the key ``activation`` to ``eval`` (``parse_model`` in ``ultralytics/nn/tasks.py``).

    Raises:
        WeightsError: the architecture is not a table, or has such an expression.
    """
    if not isinstance(architecture, dict):
        raise WeightsError(f"{source}: its architecture is not a table")
    activation = architecture.get("activation")
    if activation and not (isinstance(activation, str) and _ACTIVATION.fullmatch(activation)):
        raise WeightsError(f"{source}: its architecture has an activation that is not a plain one such as nn.SiLU()")


def rebuild(onnx_file: Path) -> tuple[Any, dict[int, str]]:
    """Build a torch network with the architecture and the weights that an exported ONNX file contains.

    The export folded each batch normalisation into the convolution before it. Here it is restored with scale 1, mean 0
    and the offset of the convolution, which leaves the output unchanged, so that training can continue.

    Returns:
        The ultralytics ``DetectionModel``, and its class names by number.

    Raises:
        WeightsError: see ``save_checkpoint``.
    """
    import onnx
    from ultralytics.nn.tasks import DetectionModel

    model = onnx.load(onnx_file)
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    if ARCHITECTURE not in metadata or "names" not in metadata:
        raise WeightsError(
            f"{onnx_file}: no {ARCHITECTURE!r} or 'names' in its metadata: expected a file of wildpost models export"
        )
    names: dict[int, str] = ast.literal_eval(metadata["names"])
    architecture = ast.literal_eval(metadata[ARCHITECTURE])
    check_architecture(architecture, onnx_file)
    network = DetectionModel(architecture, nc=len(names), verbose=False)
    copy_weights(model, network, onnx_file, lambda name: name.removesuffix("conv") + "bn")
    return network, names


def copy_weights(model: Any, network: Any, onnx_file: Path, norm_of: Callable[[str], str], prefix: str = "") -> None:
    """Copy the weights of the convolutions of an ONNX file into the torch network that was exported to it.

    Args:
        model: The opened ONNX file.
        network: The network; changed in place.
        onnx_file: Path of the ONNX file, for messages.
        norm_of: Returns the name of the batch normalisation behind the convolution of a name.
        prefix: What the names of modules in the file have before those of the network.

    Raises:
        WeightsError: the file lacks a convolution, or has one of another shape.
    """
    import torch
    from onnx import numpy_helper

    values = {entry.name: entry for entry in model.graph.initializer}
    for node in model.graph.node:
        # The exporter stores equal values only once, and half-precision weights are converted when the file is loaded.
        if node.op_type in ("Identity", "Cast") and node.input[0] in values:
            values[node.output[0]] = values[node.input[0]]
    modules = dict(network.named_modules())
    missing = {name for name, module in modules.items() if isinstance(module, torch.nn.Conv2d) and ".dfl" not in name}
    for node in model.graph.node:
        name = _module_of(node.name).removeprefix(prefix)
        if node.op_type != "Conv" or name not in missing:
            continue
        weight, offset = (torch.from_numpy(numpy_helper.to_array(values[key]).copy()) for key in node.input[1:3])
        if modules[name].weight.shape != weight.shape:
            raise WeightsError(
                f"{name}: {tuple(weight.shape)} in the file, expected {tuple(modules[name].weight.shape)}"
            )
        set_folded_weights(modules[name], modules.get(norm_of(name)), weight, offset)
        missing.discard(name)
    if missing:
        raise WeightsError(f"{onnx_file}: has no convolution for {', '.join(sorted(missing)[:3])}")


def _module_of(node: str) -> str:
    """Return the name of the torch module from which an ONNX node was exported.

    /model.23/cv3.0/cv3.0.1/cv3.0.1.0/conv/Conv was exported from model.23.cv3.0.1.0.conv.
    """
    parts: list[str] = []
    for part in node.strip("/").split("/")[:-1]:
        if parts and part.startswith(f"{parts[-1]}."):
            parts[-1] = part  # the exporter repeats the name of the outer list for nested lists
        else:
            parts.append(part)
    return ".".join(parts)


def set_folded_weights(convolution: Any, normalisation: Any, weight: Any, offset: Any) -> None:
    """Set the weights of a convolution into which the batch normalisation behind it was folded.

    The normalisation gets scale 1, mean 0 and the offset; a convolution with a bias has none behind it.
    """
    import torch

    with torch.no_grad():
        convolution.weight.copy_(weight)
        if convolution.bias is not None:
            convolution.bias.copy_(offset)
            return
        normalisation.weight.fill_((1 + normalisation.eps) ** 0.5)
        normalisation.bias.copy_(offset)
        normalisation.running_mean.zero_()
        normalisation.running_var.fill_(1)
