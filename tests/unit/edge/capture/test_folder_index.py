"""The index of a watched folder finds every change, and does not query the marks of processed files again."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from captures.folder_listing import ListedFile, list_folder
from edge.capture import folder_index, inotify
from edge.capture.folder_index import GRANULARITY_S, RELIST_S, FolderIndex


class Watched:
    """A folder with its index, a clock, and a count of what was asked and listed."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.path = path
        self.now = 1000.0
        self.asked = self.listed = 0
        self.refused = ""  # a subfolder that the system does not list
        self.done: set[ListedFile] = set()
        self.index = FolderIndex(str(path), {".jpg"}, self.is_finished, lambda: self.now)

        def counting(path: str, *arguments: Any) -> object:
            self.listed += 1
            if self.refused and path == str(self.path / self.refused):
                raise PermissionError(13, "Permission denied")
            return list_folder(path, *arguments)

        monkeypatch.setattr(folder_index, "list_folder", counting)

    def is_finished(self, file: ListedFile) -> bool:
        self.asked += 1
        return file in self.done

    def write(self, name: str, data: bytes = b"x") -> Path:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    def look(self) -> set[str]:
        """Look a second later; return the unprocessed files by their relative names."""
        self.now += 1
        return {os.path.relpath(file.path, self.path) for file in self.index.look()}

    def work_off(self) -> None:
        for file in self.index.look():
            self.done.add(file)
            self.index.processed(file)


@pytest.fixture(params=["inotify", "times"])
def watched(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    """A watched folder; "times" is a system or file system that reports no changes."""
    if request.param == "times":
        monkeypatch.setattr(inotify.FolderWatches, "add", lambda *_: False)
    (tmp_path / "card").mkdir()
    yield Watched(tmp_path / "card", monkeypatch)


def settle(watched: Watched) -> None:
    """Look until the folders have been listed once more after the resolution of their times."""
    watched.now += GRANULARITY_S
    watched.look()


def test_processed_files_are_neither_listed_nor_looked_up_again(watched: Watched) -> None:
    for number in range(200):
        watched.write(f"{number % 4}/{number}.jpg")
    assert len(watched.look()) == 200
    watched.work_off()
    settle(watched)
    watched.asked = watched.listed = 0
    for _ in range(50):
        assert watched.look() == set()
    assert (watched.asked, watched.listed) == (0, 0)


def test_a_new_file_is_found_by_the_next_look_and_is_the_only_one_looked_up(watched: Watched) -> None:
    for number in range(20):
        watched.write(f"a/{number}.jpg")
    watched.look()
    watched.work_off()
    settle(watched)
    watched.asked = 0
    watched.write("a/new.jpg")
    watched.write("b/c/other.jpg")
    assert watched.look() == {"a/new.jpg", "b/c/other.jpg"}
    assert watched.asked == 2


def test_a_folder_that_is_moved_in_is_listed_and_one_that_is_moved_out_is_forgotten(
    watched: Watched, tmp_path: Path
) -> None:
    (tmp_path / "outside" / "deep").mkdir(parents=True)
    (tmp_path / "outside" / "deep" / "1.jpg").write_bytes(b"x")
    watched.look()
    shutil.move(tmp_path / "outside", watched.path / "in")
    assert watched.look() == {"in/deep/1.jpg"}
    shutil.move(watched.path / "in", watched.path / "renamed")
    assert watched.look() == {"renamed/deep/1.jpg"}
    (watched.path / "renamed" / "deep" / "2.jpg").write_bytes(b"x")
    assert watched.look() == {"renamed/deep/1.jpg", "renamed/deep/2.jpg"}
    shutil.rmtree(watched.path / "renamed")
    assert watched.look() == set()
    watched.write("renamed/deep/3.jpg")
    assert watched.look() == {"renamed/deep/3.jpg"}


def test_a_replaced_file_is_found(watched: Watched) -> None:
    watched.write("1.jpg")
    watched.look()
    watched.work_off()
    settle(watched)
    watched.write("new", b"longer").rename(watched.path / "1.jpg")
    assert watched.look() == {"1.jpg"}


def test_a_file_that_is_rewritten_in_place_is_found_at_the_latest_when_its_folder_is_listed_again(
    watched: Watched,
) -> None:
    watched.write("1.jpg")
    watched.look()
    watched.work_off()
    settle(watched)
    watched.write("1.jpg", b"longer")
    watched.now += RELIST_S
    assert watched.look() == {"1.jpg"}


def test_inotify_reports_a_file_that_is_rewritten_in_place_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = Watched(tmp_path, monkeypatch)
    watched.write("1.jpg")
    watched.look()
    watched.work_off()
    settle(watched)
    watched.write("1.jpg", b"longer")
    assert watched.look() == {"1.jpg"}


def test_a_file_that_is_written_within_the_resolution_of_the_folders_time_is_found(watched: Watched) -> None:
    watched.write("1.jpg")
    before = watched.path.stat().st_mtime_ns
    watched.look()
    watched.write("2.jpg")
    os.utime(watched.path, ns=(before, before))  # as on FAT, where times have a resolution of two seconds
    watched.now += GRANULARITY_S
    assert watched.look() == {"1.jpg", "2.jpg"}


def test_a_folder_whose_time_does_not_change_with_its_entries_is_listed_at_every_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inotify.FolderWatches, "add", lambda *_: False)
    watched = Watched(tmp_path, monkeypatch)
    before = tmp_path.stat().st_mtime_ns

    def add(name: str) -> None:
        watched.write(name)
        os.utime(tmp_path, ns=(before, before))

    watched.look()
    settle(watched)
    add("1.jpg")
    assert watched.look() == set()
    watched.now += RELIST_S
    assert watched.look() == {"1.jpg"}
    add("2.jpg")
    assert watched.look() == {"1.jpg", "2.jpg"}


def test_lost_events_cost_one_listing_of_everything(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    watched.write("1.jpg")
    watched.look()
    watched.work_off()
    settle(watched)
    watched.write("1.jpg", b"longer")
    watched.index._watches.changes()
    monkeypatch.setattr(watched.index._watches, "changes", lambda: inotify.Changes(lost=True))
    assert watched.look() == {"1.jpg"}


def test_what_is_passed_over_is_counted_and_follows_changes(watched: Watched) -> None:
    watched.write("1.avi")
    watched.write("@eaDir/1.jpg")
    watched.look()
    assert dict(watched.index.passed_over) == {".avi": 1, "@eadir/": 1}
    watched.write("2.avi")
    watched.look()
    assert watched.index.passed_over[".avi"] == 2
    (watched.path / "1.avi").unlink()
    (watched.path / "2.avi").unlink()
    watched.look()
    assert dict(watched.index.passed_over) == {"@eadir/": 1}


def test_a_bad_entry_is_kept_until_it_is_mended(watched: Watched) -> None:
    (watched.path / "1.jpg").symlink_to("1.jpg")
    watched.write("2.jpg")
    assert watched.look() == {"2.jpg"}
    assert [Path(one.path).name for one in watched.index.bad_entries()] == ["1.jpg"]
    (watched.path / "1.jpg").unlink()
    watched.write("1.jpg")
    assert watched.look() == {"1.jpg", "2.jpg"}
    assert list(watched.index.bad_entries()) == []


def test_a_subfolder_that_cannot_be_listed_is_a_bad_entry_and_is_tried_again(watched: Watched) -> None:
    watched.write("a/1.jpg")
    watched.write("b/2.jpg")
    watched.refused = "a"
    for _ in range(20):
        assert watched.look() == {"b/2.jpg"}
    assert [one.reason for one in watched.index.bad_entries()] == ["Permission denied"]
    watched.refused = ""
    watched.now += folder_index.RETRY_MAX_S
    assert watched.look() == {"a/1.jpg", "b/2.jpg"}
    assert list(watched.index.bad_entries()) == []


def test_inotify_reports_that_the_rights_of_a_subfolder_were_mended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = Watched(tmp_path, monkeypatch)
    watched.write("a/1.jpg")
    watched.refused = "a"
    for _ in range(20):
        assert watched.look() == set()
    watched.refused = ""
    assert watched.look() == set(), "its next attempt is not due"
    (tmp_path / "a").chmod(0o750)
    watched.look()
    assert watched.look() == {"a/1.jpg"}


def test_another_file_system_at_the_same_path_is_listed_anew(watched: Watched, tmp_path: Path) -> None:
    watched.write("DCIM/1.jpg")
    watched.look()
    watched.work_off()
    watched.path.rename(tmp_path / "away")
    with pytest.raises(FileNotFoundError):
        watched.look()
    watched.write("DCIM/2.jpg")
    assert watched.look() == {"DCIM/2.jpg"}
    shutil.rmtree(watched.path)
    (tmp_path / "away").rename(watched.path)
    assert watched.look() == set(), "the first card's picture is worked off"


def test_a_file_that_vanishes_or_becomes_a_link_is_no_longer_pending(watched: Watched) -> None:
    for name in ("1.jpg", "2.jpg", "3.jpg"):
        watched.write(name)
    watched.look()
    (watched.path / "1.jpg").unlink()
    (watched.path / "2.jpg").unlink()
    (watched.path / "2.jpg").symlink_to("/etc/hostname")
    assert watched.look() == {"3.jpg"}
