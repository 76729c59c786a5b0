"""`wildpost station check` of folders as cards hold them: films only, bad entries, thumbnails of a NAS."""

import os
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.check import Finding, sensors

NOISE = np.random.default_rng(1).integers(0, 255, (240, 320, 3), np.uint8)


def check(path: Path) -> Finding:
    return sensors.folder("yard", path, UTC, datetime(2030, 6, 1, tzinfo=UTC))


def picture(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(cv2.imencode(".jpg", NOISE)[1]))


def test_a_card_full_of_other_files_is_not_empty(tmp_path: Path) -> None:
    for name in ("1.xyz", "2.XYZ", "3.docx", "@eaDir"):
        (tmp_path / name).mkdir() if name.startswith("@") else (tmp_path / name).write_bytes(b"x")
    found = check(tmp_path)
    assert (found.state, found.figures["captures"], found.figures["passed_over"]) == ("doubtful", 0, 4)
    assert "2 .xyz, 1 .docx, 1 @eadir/" in found.found
    assert ".jpg" in found.next_step


def test_beside_captures_what_is_passed_over_is_named_too(tmp_path: Path) -> None:
    picture(tmp_path / "20300501_080000.JPG")
    picture(tmp_path / "@eaDir" / "IMG_0001.JPG" / "SYNOPHOTO_THUMB_M.jpg")
    picture(tmp_path / "$RECYCLE.BIN" / "$RABC12.JPG")
    (tmp_path / "notes.txt").write_text("x")
    found = check(tmp_path)
    assert (found.state, found.figures["captures"]) == ("works", 1)
    assert "not taken as captures: 1 $recycle.bin/, 1 .txt, 1 @eadir/" in found.found


def test_a_bad_entry_is_named_and_the_captures_are_measured(tmp_path: Path) -> None:
    picture(tmp_path / "IMG_0001.JPG")
    (tmp_path / "DCIM").mkdir()
    (tmp_path / "DCIM" / "IMG_0002.JPG").symlink_to("IMG_0002.JPG")
    found = check(tmp_path)
    assert (found.state, found.figures["captures"], found.figures["bad_entries"]) == ("doubtful", 1, 1)
    assert "DCIM/IMG_0002.JPG: Too many levels of symbolic links" in found.found
    assert "brightness_percent" in found.figures
    (tmp_path / "IMG_0001.JPG").unlink()
    assert "has no readable captures" in check(tmp_path).found


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0\0\0\x14ftypheic\0\0\0\0heic" + b"\0\0\0\0meta",
        b"\0\0\0\x14ftypheic\0\0\0\0heic" + b"\0\0\0\x08meta" * 100,
        bytes(cv2.imencode(".jpg", NOISE)[1])[:60],
        b"RIFF\xff\xff\xff\xffWAVEfmt \xff\xff\xff\xff",
    ],
)
def test_a_newest_file_that_is_damaged_is_a_finding(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "IMG_0001.JPG").write_bytes(data)
    found = check(tmp_path)
    assert found.state == "doubtful"
    assert "IMG_0001.JPG" in found.found


def test_an_exception_that_nobody_expects_is_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    picture(tmp_path / "IMG_0001.JPG")

    def failing(*_: object) -> None:
        raise RecursionError("a defect at this file")

    monkeypatch.setattr(sensors, "kind_of_path", failing)
    assert "RecursionError: a defect at this file" in check(tmp_path).found


def test_a_newest_picture_that_lacks_its_end_is_measured_and_named_as_damaged(tmp_path: Path) -> None:
    path = tmp_path / "20300501_080000.JPG"
    picture(path)
    path.write_bytes(path.read_bytes()[:-2])
    found = check(tmp_path)
    assert found.state == "doubtful" and "damaged: cut off" in found.found
    assert "brightness_percent" in found.figures


def test_a_file_that_the_station_may_not_read_is_a_bad_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    picture(tmp_path / "20300501_080000.JPG")
    picture(tmp_path / "20300501_090000.JPG")
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: not str(path).endswith("090000.JPG") and access(path, mode))
    found = check(tmp_path)
    assert (found.state, found.figures["captures"], found.figures["bad_entries"]) == ("doubtful", 1, 1)
    assert "20300501_090000.JPG: Permission denied" in found.found
    assert "permissions" in found.next_step
