"""Visits of a running station: in order of capture time, across restarts, and with their best pictures sent first."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import cv2
import numpy as np
import pytest

from contract import Clock, Detection, Event, MediaContent, decode
from edge.capture.clip import Clip
from edge.detect import Companion, companion
from edge.media_rank import media_rank, sharpness_of
from edge.outbox.message import BLANK, HIGH, LOW, NORMAL
from tests.unit.edge.test_station import Animals, Kept

TEN = datetime(2026, 5, 1, 10, tzinfo=UTC)


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    one = Kept(tmp_path)
    yield one
    one.outbox.close()


def upload(kept: Kept, name: str, at: datetime, grey: int = 240) -> None:
    """Let a picture arrive, and run the station until it has processed it; the next upload finds it restarted."""
    kept.picture(name, grey)
    os.utime(kept.folder / name, (at.timestamp(), at.timestamp()))
    kept.run()


def visits(kept: Kept) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for event in kept.records(Event):
        found.setdefault(event.visit_id, set()).add(event.media[0].name[0])
    return found


def test_pictures_uploaded_by_turns_are_as_many_visits_as_there_were(kept: Kept) -> None:
    for second in range(3):
        upload(kept, f"A{second}.jpg", TEN + timedelta(seconds=second))
        upload(kept, f"B{second}.jpg", TEN + timedelta(hours=2, seconds=second))
    assert sorted(visits(kept).values(), key=sorted) == [{"A"}, {"B"}]
    upload(kept, "A3.jpg", TEN + timedelta(seconds=3))
    assert sorted(visits(kept).values(), key=sorted) == [{"A"}, {"B"}]
    upload(kept, "C0.jpg", TEN + timedelta(hours=1))
    assert sorted(visits(kept).values(), key=sorted) == [{"A"}, {"B"}, {"C"}]


def test_the_best_picture_of_a_visit_is_sent_before_the_others_and_a_blank_one_last(kept: Kept) -> None:
    kept.looking = (Animals(),)
    for number in range(3):
        upload(kept, f"{number}.jpg", TEN + timedelta(seconds=number))
    media = [message for message in kept.outbox.waiting(99) if message.media]
    assert {(message.priority, message.worth) for message in media} == {(3, HIGH)}, "Animals finds a person too"
    contents = [decode(message.topic, message.payload) for message in media]
    assert all(isinstance(content, MediaContent) for content in contents)


def test_a_dark_picture_without_detections_is_of_the_lowest_worth(kept: Kept) -> None:
    upload(kept, "dark.jpg", TEN, grey=10)
    assert [(one.priority, one.worth) for one in kept.outbox.waiting(9) if one.media] == [(4, BLANK)]


def found(label: str, confidence: float, kind: str = "animal") -> Detection:
    return Detection(ordinal=0, label=label, observation_type=kind, confidence=confidence, model="m")  # type: ignore[arg-type]


def test_media_rank() -> None:
    assert media_rank([], improves_visit=False) == (4, BLANK)
    assert media_rank([found("deer", 0.9)], improves_visit=True) == (3, NORMAL)
    assert media_rank([found("deer", 0.3)], improves_visit=True) == (3, LOW)
    assert media_rank([found("deer", 0.9)], improves_visit=False) == (4, LOW)
    assert media_rank([found("deer", 0.3), found("man", 0.2, "human")], improves_visit=False) == (3, HIGH)


def thumbnail_of(pixels: np.ndarray, folder: Path) -> Companion | None:
    path = folder / "picture.png"
    cv2.imwrite(str(path), pixels)
    return companion(Clip(path, TEN, Clock(source="exif", synchronised=False), path.name), [])


def test_a_sharp_picture_scores_more_than_a_blurred_one_and_sound_is_not_judged(tmp_path: Path) -> None:
    sharp = np.random.default_rng(7).integers(0, 255, (300, 400, 3)).astype(np.uint8)
    blurred = cv2.GaussianBlur(sharp, (31, 31), 0)
    measured = [sharpness_of(thumbnail_of(pixels, tmp_path)) for pixels in (sharp, blurred)]
    assert 1 > measured[0] > 0.9 > measured[1] > 0
    assert sharpness_of(None) == 1.0
