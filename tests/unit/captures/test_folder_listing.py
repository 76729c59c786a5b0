"""A folder of captures is listed entry by entry: bad entries do not affect others; passed over entries are counted."""

import os
import socket
from datetime import UTC, datetime
from pathlib import Path

import pytest

from captures.folder_listing import (
    MAX_DEPTH,
    MAX_KINDS,
    Listing,
    describe_passed_over,
    fewer_kinds,
    list_folder,
    modified_ns,
    printable_name,
    walk,
)

ENDINGS = frozenset({".jpg", ".wav"})


def write(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def whole(folder: Path, follow_links: bool = False) -> Listing:
    """The listings of a folder and its subfolders as one."""
    found = Listing()
    for listing in walk(str(folder), ENDINGS, follow_links):
        found.files += listing.files
        found.bad += listing.bad
        found.passed_over += listing.passed_over
    return found


def names(listing: Listing) -> list[str]:
    return [Path(file.path).name for file in listing.files]


def test_captures_are_found_in_all_subfolders_in_the_order_of_names(tmp_path: Path) -> None:
    write(tmp_path / "b" / "2.JPG", tmp_path / "b" / "1.jpg", tmp_path / "a" / "deep" / "3.wav", tmp_path / "0.jpg")
    assert names(whole(tmp_path)) == ["0.jpg", "3.wav", "1.jpg", "2.JPG"]


@pytest.mark.parametrize(
    "folder",
    [
        *("@eaDir", "#recycle", "#snapshot", "@Recycle", "@__thumb"),
        *("$RECYCLE.BIN", "$Recycle.Bin", "RECYCLER", "System Volume Information", "FOUND.000", "found.017"),
        *("lost+found", "LOST.DIR", "__MACOSX", "Network Trash Folder", "THMBNL"),
    ],
)
def test_system_folders_are_passed_over_and_counted(folder: str, tmp_path: Path) -> None:
    write(tmp_path / "card" / folder / "deep" / "x.jpg", tmp_path / "card" / "1.jpg")
    found = whole(tmp_path)
    assert names(found) == ["1.jpg"]
    assert dict(found.passed_over) == {f"{folder.lower()}/": 1}


@pytest.mark.parametrize(
    "name",
    [
        *(".Trashes/x.jpg", ".Trash-1000/files/x.jpg", ".Spotlight-V100/x.jpg", ".thumbnails/x.jpg", ".snapshot/x.jpg"),
        *("._1.jpg", ".DS_Store", ".hidden.jpg", "Thumbs.db", "desktop.ini", "x.jpg.part", "x.wav.tmp"),
    ],
)
def test_hidden_files_of_systems_and_partial_files_are_left_out(name: str, tmp_path: Path) -> None:
    write(tmp_path / name, tmp_path / "1.jpg")
    found = whole(tmp_path)
    assert names(found) == ["1.jpg"]
    assert not found.passed_over and not found.bad


def test_a_watched_folder_may_have_any_name_itself(tmp_path: Path) -> None:
    write(tmp_path / ".cards" / "@eaDir" / "1.jpg")
    assert names(whole(tmp_path / ".cards" / "@eaDir")) == ["1.jpg"]


def test_other_files_are_counted_by_their_ending(tmp_path: Path) -> None:
    for number in range(3):
        write(tmp_path / f"IMAG{number}.AVI")
    write(tmp_path / "P.heic", tmp_path / "README", tmp_path / "x.\u202egpj", tmp_path / "a.extraordinary-ending")
    found = whole(tmp_path)
    assert dict(found.passed_over) == {".avi": 3, ".heic": 1, "without ending": 1, "other": 2}
    assert describe_passed_over(found.passed_over) == "3 .avi, 2 other, 1 .heic, 1 without ending"


def test_rare_kinds_beyond_the_limit_are_summed_up() -> None:
    counts = {f".{number:03}": 1000 - number for number in range(100)} | {"other": 5000}
    fewer = fewer_kinds(counts)
    assert len(fewer) <= MAX_KINDS
    assert sum(fewer.values()) == sum(counts.values())
    assert fewer[".000"] == 1000


def test_pipes_sockets_and_folders_named_like_pictures_are_no_captures(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "folder.jpg").mkdir()
    write(tmp_path / "folder.jpg" / "1.jpg")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket.jpg"))
        found = whole(tmp_path)
    assert names(found) == ["1.jpg"]
    assert dict(found.passed_over) == {"special files": 2}


def test_a_link_to_itself_or_to_nothing_is_a_bad_entry_and_the_rest_is_listed(tmp_path: Path) -> None:
    (tmp_path / "1.jpg").symlink_to("1.jpg")
    (tmp_path / "2.jpg").symlink_to("3.jpg")
    (tmp_path / "3.jpg").symlink_to("2.jpg")
    (tmp_path / "4.jpg").symlink_to("missing.jpg")
    write(tmp_path / "5.jpg")
    for follow_links in (False, True):
        found = whole(tmp_path, follow_links)
        assert names(found) == ["5.jpg"]
        assert {Path(one.path).name for one in found.bad} == {"1.jpg", "2.jpg", "3.jpg", "4.jpg"}
        assert all(one.reason for one in found.bad)


def test_links_are_followed_only_where_that_is_wanted(tmp_path: Path) -> None:
    write(tmp_path / "private" / "x.jpg", tmp_path / "in" / "1.jpg")
    (tmp_path / "in" / "latest.jpg").symlink_to("1.jpg")
    (tmp_path / "in" / "out.jpg").symlink_to(tmp_path / "private" / "x.jpg")
    (tmp_path / "in" / "folder").symlink_to(tmp_path / "private")
    (tmp_path / "in" / "loop").symlink_to(tmp_path)
    found = whole(tmp_path / "in")
    assert names(found) == ["1.jpg"]
    assert [Path(one.path).name for one in found.bad] == ["out.jpg"]
    assert "outside" in found.bad[0].reason
    assert found.passed_over["links"] == 3
    assert names(whole(tmp_path / "in", follow_links=True)) == ["1.jpg", "latest.jpg", "out.jpg"]


def test_folders_nested_without_end_are_left_at_a_limit_that_is_named(tmp_path: Path) -> None:
    deepest = tmp_path.joinpath(*("d" for _ in range(MAX_DEPTH + 3)))
    write(deepest / "deep.jpg", tmp_path / "1.jpg")
    found = whole(tmp_path)
    assert names(found) == ["1.jpg"]
    assert ["levels deep" in one.reason for one in found.bad] == [True]


def test_names_of_any_bytes_and_length_are_listed(tmp_path: Path) -> None:
    long = "n" * 251 + ".jpg"
    write(tmp_path / long)
    with open(os.fsencode(tmp_path) + b"/\xd2\xb0\xd6\xed\n.jpg", "wb") as file:  # noqa: PTH123, the name is bytes
        file.write(b"x")
    found = whole(tmp_path)
    assert len(found.files) == 2
    assert all(printable_name(file.path).encode() for file in found.files)
    assert printable_name(Path(found.files[1].path).name) == "Ұ\\xd6\\xed\\n.jpg"


@pytest.mark.parametrize(
    ("name", "shown"),
    [("a\nb\x1b[31m.jpg", "a\\nb\\x1b[31m.jpg"), ("gpj.\u202e", "gpj.\\u202e"), ("北坡\u3000é.jpg", "北坡\u3000é.jpg")],
)
def test_a_printable_name_is_one_line_and_commands_no_terminal(name: str, shown: str) -> None:
    assert printable_name(name) == shown


@pytest.mark.parametrize("stated", [10**21, -(10**21)])
def test_a_time_of_change_in_an_impossible_year_is_the_nearest_possible_one(stated: int) -> None:
    status = os.stat_result([0] * 10, {"st_mtime_ns": stated})
    written = datetime.fromtimestamp(modified_ns(status) / 1e9, UTC)
    assert written.year == (2262 if stated > 0 else 1677)


def test_a_folder_that_cannot_be_opened_is_an_error_and_a_subfolder_a_bad_entry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "a" / "1.jpg", tmp_path / "b" / "2.jpg")
    with pytest.raises(FileNotFoundError):
        list_folder(str(tmp_path / "none"), ENDINGS)
    scandir = os.scandir

    def failing(path: str) -> object:  # the error of a damaged card cannot be had to order
        if path.endswith("/a"):
            raise OSError(5, "Input/output error")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", failing)
    found = whole(tmp_path)
    assert names(found) == ["2.jpg"]
    assert [(Path(one.path).name, one.reason) for one in found.bad] == [("a", "Input/output error")]


def test_a_stopped_walk_ends_within_a_folder(tmp_path: Path) -> None:
    write(*(tmp_path / f"{number}.jpg" for number in range(50)))
    asked = iter(range(100))
    listings = list(walk(str(tmp_path), ENDINGS, stopped=lambda: next(asked) > 10))
    assert 0 < len(listings[0].files) < 50
