"""The captures of one visit decide together which animal they show, and no others do."""

from collections.abc import Sequence

import numpy as np

from contract import Box, Classification, Detection
from models.port import Crop, Evidence
from models.visit_votes import VisitVotes
from tests.species_network import NamedByCrop

ANIMAL = Detection(
    ordinal=0, label="animal", observation_type="animal", confidence=1.0, model="eye", box=Box(0, 0, 1, 1)
)


class Counting(NamedByCrop):
    """Says how many crops decided."""

    def __init__(self) -> None:
        super().__init__("counting", lambda _: None)

    def decide(self, evidence: Sequence[Evidence]) -> Classification | None:
        return Classification(label=str(len(evidence)), confidence=0.5, model="counting")


def crops(count: int) -> list[Crop]:
    return [Crop(np.zeros((4, 4, 3), np.uint8), ANIMAL)] * count


def deciding(votes: VisitVotes, visit_id: str, animals: int = 1) -> list[int]:
    votes.enter(visit_id)
    return [int(claim.label) for claim in votes.classify(crops(animals)) if claim is not None]


def test_the_single_animals_of_a_visit_are_decided_together() -> None:
    votes = VisitVotes(Counting())
    assert [deciding(votes, "a") for _ in range(3)] == [[1], [2], [3]]
    assert deciding(votes, "b") == [1], "another visit begins anew"
    assert deciding(votes, "a") == [1], "and so does a visit that is resumed"


def test_several_animals_of_a_capture_are_decided_alone() -> None:
    votes = VisitVotes(Counting())
    assert deciding(votes, "a") == [1]
    assert deciding(votes, "a", animals=2) == [1, 1]
    assert deciding(votes, "a", animals=0) == []
    assert deciding(votes, "a") == [2]


def test_a_long_visit_is_decided_by_its_latest_captures() -> None:
    votes = VisitVotes(Counting())
    assert [deciding(votes, "a") for _ in range(20)][-1] == [8]
