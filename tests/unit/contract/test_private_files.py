"""Files for their owner only: created so under any umask, and restricted where an earlier program did not."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from contract.private_files import create_private_file, make_private_folder, private_opener, private_umask, restrict
from tests.listed_folders import note_listed_folders


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("mask", [0, 0o022, 0o077, 0o277])
def test_new_folders_and_files_have_the_same_mode_under_any_umask(mask: int, tmp_path: Path) -> None:
    with umask(mask):
        make_private_folder(tmp_path / "a" / "b")
        with private_umask():
            (tmp_path / "a" / "b" / "by a library").write_text("x")
    with umask(mask & 0o077):
        create_private_file(tmp_path / "a" / "empty")
        with open(tmp_path / "a" / "written", "w", opener=private_opener) as file:
            file.write("x")
    assert {path.name: mode(path) for path in tmp_path.rglob("*")} == {
        "a": 0o700,
        "b": 0o700,
        "by a library": 0o600,
        "empty": 0o600,
        "written": 0o600,
    }


def test_an_existing_folder_and_file_keep_mode_and_content(tmp_path: Path) -> None:
    tmp_path.chmod(0o750)
    (tmp_path / "file").write_text("kept")
    (tmp_path / "file").chmod(0o640)
    make_private_folder(tmp_path)
    create_private_file(tmp_path / "file")
    assert (mode(tmp_path), mode(tmp_path / "file"), (tmp_path / "file").read_text()) == (0o750, 0o640, "kept")


def test_a_file_in_place_of_a_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        make_private_folder(tmp_path / "file")


def test_wide_files_are_restricted_at_any_depth_and_keep_the_owners_rights(tmp_path: Path) -> None:
    deep = tmp_path / "data" / "media" / "ab" / "cd"
    deep.mkdir(parents=True)
    for folder in (tmp_path / "data", *(tmp_path / "data").rglob("*")):
        folder.chmod(0o777)
    for name, wide in (("picture", 0o644), ("program", 0o755), ("read-only", 0o444), ("own", 0o600)):
        (deep / name).touch()
        (deep / name).chmod(wide)
    changed = restrict(tmp_path / "data")
    assert {path.name: mode(path) for path in (tmp_path / "data").rglob("*")} == {
        "media": 0o700,
        "ab": 0o700,
        "cd": 0o700,
        "picture": 0o600,
        "program": 0o700,
        "read-only": 0o400,
        "own": 0o600,
    }
    assert len(changed) == 7
    assert restrict(tmp_path / "data") == []


def test_links_lead_to_no_change_elsewhere(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.touch()
    outside.chmod(0o644)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "symbolic").symlink_to(outside)
    (tmp_path / "data" / "hard").hardlink_to(outside)
    (tmp_path / "data" / "gone").symlink_to(tmp_path / "nowhere")
    restrict(tmp_path / "data")
    assert mode(outside) == 0o644


def test_a_large_folder_that_only_its_owner_can_enter_is_not_read_at_every_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "media" / "ab" / "cd").mkdir(parents=True)
    for folder in (tmp_path, *tmp_path.rglob("*")):
        folder.chmod(0o700)
    read = note_listed_folders(monkeypatch)
    restrict(tmp_path)
    assert tmp_path / "media" / "ab" not in read
    (tmp_path / "media" / "ab").chmod(0o755)
    restrict(tmp_path)
    assert tmp_path / "media" / "ab" in read
