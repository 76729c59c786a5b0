"""What every detector offers, whether it looks or listens."""

from collections.abc import Sequence
from typing import Protocol, TypeVar

from contract import Detection, Model

Input = TypeVar("Input", contravariant=True)
Prepared = TypeVar("Prepared")


class Detector(Protocol[Input, Prepared]):
    """Finds things in pictures or sounds.

    ``preprocess`` may run in another thread or process than ``predict``: one decodes, the other computes.
    """

    @property
    def model(self) -> Model:
        """Name, version and hash of the weights in use."""
        ...

    def preprocess(self, item: Input) -> Prepared:
        """Turn one input into what the network takes.

        Raises:
            Unreadable: it cannot be used.
        """
        ...

    def predict(self, batch: Sequence[Prepared]) -> list[list[Detection]]:
        """Find what is in each input.

        Returns:
            One list per input, in the order given; within it most confident first, ordinals from 0.
        """
        ...
