"""Opens a model by its name, once its weights are known to be the right ones."""

from pathlib import Path

from models.registry import Registry, WeightsError, entry_named, find_weights, load_registry
from models.vision import VisionDetector, VisionOptions


def open_vision(
    name: str, weights_folder: Path, options: VisionOptions | None = None, registry: Registry | None = None
) -> VisionDetector:
    """Open a vision model.

    Args:
        name: As in the registry.
        weights_folder: Where ``wildpost models pull`` puts weights.
        options: How to run it.
        registry: Where to look the name up; None: the one that comes with Wildpost.

    Raises:
        WeightsError: the name is not known or not a vision model, or its weights are missing or not the right ones.
        WrongHead: the network's output is not what the registry says.
    """
    entry = entry_named(name, load_registry() if registry is None else registry)
    if entry.vision is None:
        raise WeightsError(f"model {name!r} is of kind {entry.kind!r}: expected a vision model")
    return VisionDetector(find_weights(entry, weights_folder), entry, options)
