"""The interface of all detectors, for pictures and for sounds."""

from collections.abc import Sequence
from typing import Protocol, TypeVar

from contract import Detection, Model

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
