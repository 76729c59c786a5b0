"""Interfaces of the models: detectors for pictures and sounds, and classifiers for crops of detected animals."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from contract import Classification, Detection, Location, Model

Input = TypeVar("Input", contravariant=True)
Prepared = TypeVar("Prepared")


class Detector(Protocol[Input, Prepared]):
    """Interface of a detector of animals, people, vehicles or threats in pictures or sounds.

    ``preprocess`` decodes the input and ``predict`` runs the network; they may run in different threads or processes.
    """

    @property
    def model(self) -> Model:
        """Name, version and hash of the detector's weights."""
        ...

    def preprocess(self, item: Input) -> Prepared:
        """Convert one picture or sound into the input of the detector's network.

        Raises:
            Unreadable: the input cannot be used.
        """
        ...

    def predict(self, batch: Sequence[Prepared]) -> list[list[Detection]]:
        """Run the network on preprocessed inputs, and return the detections in each input.

        Returns:
            One list per input, in the order of the inputs. Each list is sorted by confidence, highest first, and its
            ordinals count from 0.
        """
        ...


@dataclass(frozen=True, slots=True)
class Framing:
    """The margin and the shape of the crop that a classifier needs around the box of a detection.

    Attributes:
        margin: Width added to each of the four sides, as a fraction of the longer side of the box.
        square: Whether the crop is a square around the centre of the box; otherwise it has the proportions of the
            box with its margin.
    """

    margin: float = 0.0
    square: bool = False


@dataclass(frozen=True, slots=True)
class Crop:
    """One detected animal, cut out of a picture at full resolution, as the input of a classifier.

    Attributes:
        pixels: (height, width, 3) uint8, blue green red, at least 1 x 1. Pixels outside the picture are grey (114).
        detection: The detection of the animal by a detector.
        taken_at: Capture time of the picture, with its UTC offset; None: unknown.
        location: Location of the station; None: unknown.
    """

    pixels: NDArray[np.uint8]
    detection: Detection
    taken_at: datetime | None = None
    location: Location | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a classifier's network makes of one crop, before a decision.

    Attributes:
        probabilities: Calibrated probability of each class of the network, (classes,) float64.
        taken_at: Capture time of the picture; None: unknown.
        location: Location of the station; None: unknown.
    """

    probabilities: NDArray[np.float64]
    taken_at: datetime | None = None
    location: Location | None = None


class Classifier(Protocol):
    """Interface of a classifier, which names the taxon of a detected animal; thread-safe."""

    @property
    def model(self) -> Model:
        """Name, version and hash that identify the classifier and its weights."""
        ...

    @property
    def framing(self) -> Framing:
        """The margin and the shape of the crops that this classifier expects."""
        ...

    def examine(self, crops: Sequence[Crop]) -> list[Evidence]:
        """Run the network on crops; return the evidence of each crop, in their order."""
        ...

    def decide(self, evidence: Sequence[Evidence]) -> Classification | None:
        """Return the taxon of one animal, of which there are one or more crops.

        Args:
            evidence: Evidence of crops of the same animal; the last one has the time and place.

        Returns:
            A classification with the name of ``model``; None if no taxon reaches the classifier's threshold.
        """
        ...

    def classify(self, crops: Sequence[Crop]) -> list[Classification | None]:
        """Return the taxon of the animal in each crop, decided by that crop alone; see ``decide``."""
        ...
