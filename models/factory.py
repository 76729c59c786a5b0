"""Opens a model by its name, after verifying the checksum of its weights."""

from pathlib import Path

from models.registry import Registry, WeightsError, entry_named, find_weights, load_registry
from models.vision import VisionDetector, VisionOptions


def open_vision(
    name: str, weights_folder: Path, options: VisionOptions | None = None, registry: Registry | None = None
) -> VisionDetector:
    """Open a vision model.

    Args:
        name: The name of the model in the registry.
        weights_folder: The folder in which ``wildpost models pull`` stores weights.
        options: The runtime, the thresholds and the limits; None: the defaults.
        registry: The registry that contains the name; None: the registry included in Wildpost.

    Raises:
        WeightsError: the name is unknown or is not a vision model, or its weights are missing or have a wrong hash.
        WrongHead: the network's output does not have the form that the registry entry states.
    """
    entry = entry_named(name, load_registry() if registry is None else registry)
    if entry.vision is None:
        raise WeightsError(f"model {name!r} is of kind {entry.kind!r}: expected a vision model")
    return VisionDetector(find_weights(entry, weights_folder), entry, options)
