"""A run over folders takes every file with its ending, and reports each entry that cannot be read."""

import os
from pathlib import Path
from typing import Any

import pytest

from pipelines.detect.batch import files_in, passed_over_in
from pipelines.detect.examination import Examiner
from tests.pictures import write_grey_jpeg

ENDINGS = frozenset({".jpg"})


def test_system_folders_are_passed_over_and_named_and_links_are_followed(tmp_path: Path) -> None:
    shared = write_grey_jpeg(tmp_path / "elsewhere" / "1.jpg")
    card = tmp_path / "card"
    write_grey_jpeg(card / "b" / "2.JPG")
    write_grey_jpeg(card / "@eaDir" / "2.JPG" / "SYNOPHOTO_THUMB_M.jpg")
    (card / "film.avi").write_bytes(b"x")
    (card / "a.jpg").symlink_to(shared)
    assert [path.name for path in files_in([card], ENDINGS)] == ["a.jpg", "2.JPG"]
    assert passed_over_in([card], ENDINGS) == "1 .avi, 1 @eadir/"


def test_an_entry_that_cannot_be_read_is_reported_with_its_reason(tmp_path: Path, examiner: Examiner) -> None:
    (tmp_path / "1.jpg").symlink_to("1.jpg")
    os.mkfifo(tmp_path / "pipe.jpg")
    write_grey_jpeg(tmp_path / "2.jpg")
    found = {path.name: examiner.examine(path).problem for path in files_in([tmp_path], ENDINGS)}
    assert found.keys() == {"1.jpg", "2.jpg"}
    assert "symbolic links" in found["1.jpg"] and not found["2.jpg"]
    assert "named pipe" in examiner.examine(tmp_path / "pipe.jpg").problem, "named by the user, it is not waited for"
    assert "folder" in examiner.examine(tmp_path).problem
    assert examiner.examine(tmp_path / "vanished.jpg").problem


def test_an_unexpected_exception_is_the_problem_of_its_file(
    tmp_path: Path, examiner: Examiner, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: Any, **__: Any) -> None:
        raise RecursionError("a defect at this file")

    monkeypatch.setattr("pipelines.detect.examination.picture_time", failing)
    assert "RecursionError: a defect at this file" in examiner.examine(write_grey_jpeg(tmp_path / "1.jpg")).problem


def test_a_file_or_folder_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"gone: no such file or folder"):
        list(files_in([tmp_path / "gone"], ENDINGS))


def test_a_damaged_picture_is_examined_and_named(tmp_path: Path, examiner: Examiner) -> None:
    path = write_grey_jpeg(tmp_path / "1.jpg")
    path.write_bytes(path.read_bytes()[:-2])
    examined = examiner.examine(path)
    assert examined.problem.startswith("damaged, examined as far as it goes: cut off")
    assert examined.began is not None
