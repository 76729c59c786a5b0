"""What detectors found is kept where the picture cannot be decoded whole for the classifier."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from contract import Box, Classification, Clock, Detection, Model
from edge.capture.clip import Clip
from edge.detect import detect
from models.port import Crop
from tests.species_network import NamedByCrop


class Eye:
    """Finds a person and an animal without looking."""

    model = Model(name="eye", version="1", sha256="1" * 64)

    def preprocess(self, item: Path) -> Path:
        return item

    def predict(self, batch: Sequence[Path]) -> list[list[Detection]]:
        place = Box(0.0, 0.0, 0.5, 0.5)
        person = Detection(ordinal=0, label="person", observation_type="human", confidence=0.4, model="eye", box=place)
        animal = Detection(ordinal=1, label="animal", observation_type="animal", confidence=0.9, model="eye", box=place)
        return [[person, animal] for _ in batch]


def fox(_: Crop) -> Classification:
    return Classification(label="fox", confidence=0.9, model="named")


def test_what_was_found_is_kept_when_the_whole_picture_cannot_be_decoded(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"\xff\xd8 no picture")
    clip = Clip(broken, datetime(2026, 4, 12, tzinfo=UTC), Clock(source="exif", synchronised=False), "broken.jpg")
    found = detect([Eye()], clip, NamedByCrop("named", fox))
    assert [(one.ordinal, one.label, one.classification) for one in found] == [(0, "animal", None), (1, "person", None)]
    assert "broken.jpg: animals are not classified" in caplog.text
