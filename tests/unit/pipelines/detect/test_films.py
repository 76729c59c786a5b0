"""`wildpost models run` looks through films as a station does."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pipelines.detect.examination import Examiner
from tests.films import write_film


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


def test_a_real_animal_that_moves_through_a_film_is_found_once(
    examiner: Examiner, tmp_path: Path, shared_data: Path
) -> None:
    picture = cv2.imread(str(shared_data / "vision" / "camtrap_jura" / "chevreuil" / "3.1 D (4).jpg"))
    assert picture is not None
    wide = cv2.resize(picture, (832, 624))

    def pan() -> Iterator[NDArray[np.uint8]]:
        for at in range(40):
            yield np.ascontiguousarray(wide[72:552, 4 * at : 4 * at + 640], np.uint8)

    path = write_film(tmp_path / "a.mp4", codec="libx264", size=(640, 480), frames=pan())
    examined = examiner.examine(path)
    assert [one.observation_type for one in examined.found] == ["animal"]
    assert examined.found[0].box is not None and examined.found[0].span is not None
