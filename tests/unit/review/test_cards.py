"""Which colour, line and icon a detection has on the pages."""

from datetime import UTC, datetime

import pytest

from casebook.verdicts import Verdict
from contract import Box, Detection, Model, Span
from contract.messages import ObservationType
from review.cards import CardDetection

MODEL = Model(name="test", version="1", sha256="0" * 64)


def detection(label: str, observation_type: ObservationType, heard: bool = False) -> Detection:
    return Detection(
        ordinal=0,
        label=label,
        observation_type=observation_type,
        confidence=0.9,
        model="test",
        box=None if heard else Box(0.1, 0.1, 0.5, 0.5),
        span=Span(start_s=0, end_s=3) if heard else None,
    )


@pytest.mark.parametrize(
    ("label", "observation_type", "heard", "kind"),
    [
        ("person", "human", False, "person"),
        ("car", "vehicle", False, "vehicle"),
        ("fox", "animal", False, "animal"),
        ("dog", "animal", False, "domestic"),
        ("raccoon dog", "animal", False, "animal"),
        ("dog", "animal", True, "domestic"),
        ("gunshot", "human", True, "sound"),
        ("engine", "vehicle", True, "sound"),
        ("Strix aluco", "animal", True, "animal"),
        ("something", "unclassified", False, "unknown"),
    ],
)
def test_a_detection_is_marked_by_its_kind(
    label: str, observation_type: ObservationType, heard: bool, kind: str
) -> None:
    finding = CardDetection(detection(label, observation_type, heard), None, MODEL)
    assert (finding.kind, finding.machine_kind) == (kind, kind)


def test_a_correction_changes_the_kind_and_keeps_the_machines() -> None:
    verdict = Verdict("id", 0, "corrected", "animal", "dog", "Canis familiaris", "ranger", datetime.now(UTC))
    finding = CardDetection(detection("person", "human"), verdict, MODEL)
    assert (finding.kind, finding.machine_kind) == ("domestic", "person")
