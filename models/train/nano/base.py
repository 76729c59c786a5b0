"""Recognises the networks that this package trains, without loading torch."""

from pathlib import Path

from models.registry import Registry, entry_named, find_weights
from models.train.training import SCRATCH

IMAGENET = "imagenet"  # the base of a training run that begins with the backbone's ImageNet weights
ARCHITECTURE = "wildpost_network"  # key of the metadata entry of an ONNX file that names the architecture
NETWORK = "wildpost-nano 2"  # its value


def is_nano_base(base: str, registry: Registry, weights_folder: Path) -> bool:
    """Return whether training from a base is done by this package.

    Args:
        base: The name of a model, a file, ``imagenet`` or ``scratch``.
        registry: The registry that contains the base, if the base is the name of a model.
        weights_folder: The folder in which ``wildpost models pull`` stores weights.

    Raises:
        WeightsError: the base is neither a file nor a known model, or its weights are missing.
    """
    if base in (IMAGENET, SCRATCH):
        return base == IMAGENET
    path = Path(base)
    return is_nano_file(path if path.is_file() else find_weights(entry_named(base, registry), weights_folder))


def is_nano_file(path: Path) -> bool:
    """Return whether a file is an ONNX file with the network of this package."""
    if path.suffix != ".onnx":
        return False
    import onnx

    entries = onnx.load(path).metadata_props
    return any(entry.key == ARCHITECTURE and entry.value == NETWORK for entry in entries)
