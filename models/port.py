"""The interfaces of detectors, for pictures and for sounds, and of classifiers."""

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
    """Detects animals, people, vehicles or threats in pictures or sounds.

    ``preprocess`` decodes the input and ``predict`` runs the network; they may run in different threads or processes.
    """

    @property
    def model(self) -> Model:
        """Name, version and hash of the weights in use."""
        ...

    def preprocess(self, item: Input) -> Prepared:
        """Convert one input into the form that the network takes.

        Raises:
            Unreadable: the input cannot be used.
        """
        ...

    def predict(self, batch: Sequence[Prepared]) -> list[list[Detection]]:
        """Return the detections in each input.

        Returns:
            One list per input, in the order of the inputs. Each list is sorted by confidence, highest first, and its
            ordinals count from 0.
        """
        ...


@dataclass(frozen=True, slots=True)
class Framing:
    """Which part of the picture a classifier takes as the crop of a detection.

    Attributes:
        margin: Share of the box's longer side that is added on each of its four sides.
        square: Whether the crop is a square about the box's centre; else the box with its margin.
    """

    margin: float = 0.0
    square: bool = False


@dataclass(frozen=True, slots=True)
class Crop:
    """A detected animal, cut from the picture at full resolution.

    Attributes:
        pixels: (height, width, 3) uint8, blue green red, at least 1 x 1; grey 114 where it reaches outside the picture.
        detection: The detector's claim, with label and observation type.
        taken_at: When the picture was taken, with its offset; None: not known.
        location: Where the station stands; None: not known.
    """

    pixels: NDArray[np.uint8]
    detection: Detection
    taken_at: datetime | None = None
    location: Location | None = None


class Classifier(Protocol):
    """Names the taxon of a detected animal; usable from several threads at once."""

    @property
    def model(self) -> Model:
        """Name, version and hash of what makes the claims."""
        ...

    @property
    def framing(self) -> Framing:
        """How crops have to be cut."""
        ...

    def classify(self, crops: Sequence[Crop]) -> list[Classification | None]:
        """Name the taxon in each crop.

        Returns:
            One claim per crop, in the order given, under the name of ``model``; None where the classifier makes none.
        """
        ...
