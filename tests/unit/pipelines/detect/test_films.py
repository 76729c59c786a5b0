"""`wildpost models run` looks through films as a station does."""

from datetime import UTC
from pathlib import Path

import pytest

from models.registry import load_registry
from pipelines.detect.examination import ExaminationTask, Examiner
from tests.films import write_film


@pytest.fixture(scope="module")
def examiner(tmp_path_factory: pytest.TempPathFactory) -> Examiner:
    folder = tmp_path_factory.mktemp("data")
    return Examiner(ExaminationTask("wildpost-nano", load_registry(), folder, folder, UTC))


def test_a_film_is_examined_with_its_time_and_length(examiner: Examiner, tmp_path: Path) -> None:
    path = write_film(tmp_path / "20260501_120000.avi")
    examined = examiner.examine(path)
    assert examined.problem == ""
    assert examined.began is not None and examined.began.isoformat() == "2026-05-01T12:00:00+00:00"
    assert (examined.time_source, examined.duration_s) == ("name", 4.0)
    assert all(one.span is not None for one in examined.found)


def test_a_broken_film_is_no_end_of_the_run(examiner: Examiner, tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"\0\0\0\x18ftypisom\0\0\2\0isommp41\0\0\0\x10mdat" + bytes(8))
    assert "moov" in examiner.examine(path).problem
