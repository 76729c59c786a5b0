"""The newest original after a power failure: intact, torn, lost, or written without its event."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from captures.decoded import Sound
from contract import Clock, Media
from edge.capture.clip import Clip, FileMark
from edge.capture.newest_original import check_newest, newest_original
from edge.capture.originals import Originals
from edge.outbox.outbox import Outbox
from tests.listed_folders import note_listed_folders

AT = datetime(2026, 5, 1, tzinfo=UTC)
NTP = Clock(source="ntp", synchronised=True)


class Kept:
    """A sensor with three originals, of which the outbox remembers the last."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "lens"
        self.outbox = Outbox(folder / "outbox.sqlite")
        self.originals = Originals(self.folder, 10_000)
        for number in range(3):
            self.capture(number)

    def capture(self, number: int, committed: bool = True) -> None:
        path, media = self.originals.keep(bytes([number]) * 1000, f"2026050{number}.jpg", "image/jpeg")
        if committed:
            clip = Clip(path, AT, NTP, path.name, media)
            self.outbox.commit([], memory=newest_original("lens", clip))

    def problems(self) -> list[str]:
        """What the next start finds."""
        found = check_newest("lens", Originals(self.folder, 10_000), self.outbox.remembered)
        return [f"{one.name}: {one.reason}" for one in found]


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    one = Kept(tmp_path)
    yield one
    one.outbox.close()


def test_an_intact_original_is_no_matter(kept: Kept) -> None:
    assert kept.problems() == []


@pytest.mark.parametrize("content", [b"", b"\2" * 999, b"\2" * 999 + b"\0", bytes(1000)])
def test_a_torn_original_is_renamed_and_told_once(content: bytes, kept: Kept) -> None:
    (kept.folder / "20260502.jpg").write_bytes(content)
    assert [("another hash" in problem) for problem in kept.problems()] == [True]
    assert (kept.folder / "20260502.jpg.damaged").read_bytes() == content
    assert not (kept.folder / "20260502.jpg").exists()
    kept.capture(3)
    assert kept.problems() == []


def test_a_lost_original_is_told_and_one_that_the_quota_deleted_is_not(kept: Kept) -> None:
    (kept.folder / "20260502.jpg").unlink()
    assert [("is missing" in problem) for problem in kept.problems()] == [True]
    for number in range(2):
        (kept.folder / f"2026050{number}.jpg").unlink()
    assert kept.problems() == []


def test_an_original_whose_event_was_not_stored_is_told_and_stays(kept: Kept) -> None:
    kept.capture(3, committed=False)
    assert [problem.split(":")[0] for problem in kept.problems()] == ["20260503.jpg"]
    assert (kept.folder / "20260503.jpg").exists()


def test_a_new_station_and_a_file_of_a_card_have_nothing_to_check(tmp_path: Path) -> None:
    assert check_newest("lens", Originals(tmp_path / "lens", 100), lambda _: None) == []
    assert check_newest("lens", None, lambda _: json.dumps(["a", "b"])) == []
    media = Media(sha256="1" * 64, type="image/jpeg", size=1, role="original", name="a.jpg")
    assert newest_original("card", Clip(Path("a.jpg"), AT, NTP, "a.jpg", media, FileMark("a", 1, 2, 1, True))) == {}
    assert newest_original("ear", Clip(Sound(samples=None, rate_hz=1), AT, NTP, "a")) == {}  # type: ignore[arg-type]


def test_what_a_power_failure_left_half_written_is_deleted_at_the_next_start(kept: Kept) -> None:
    (kept.folder / ".20260503.jpg.part").write_bytes(b"half")
    assert Originals(kept.folder, 10_000).names == [f"2026050{number}.jpg" for number in range(3)]
    assert sorted(path.name for path in kept.folder.iterdir()) == [f"2026050{number}.jpg" for number in range(3)]


def test_a_capture_does_not_list_the_folder_however_many_originals_it_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    originals = Originals(tmp_path, 5000)
    listed = note_listed_folders(monkeypatch)
    for number in range(20):
        originals.keep(b"x" * 1000, f"{number:03}.jpg", "image/jpeg")
    assert listed == []
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"{number:03}.jpg" for number in range(15, 20)]


def test_originals_that_somebody_deleted_do_not_stop_the_quota(tmp_path: Path) -> None:
    originals = Originals(tmp_path, 3000)
    for number in range(3):
        originals.keep(b"x" * 1000, f"{number}.jpg", "image/jpeg")
    (tmp_path / "0.jpg").unlink()
    originals.keep(b"x" * 1000, "3.jpg", "image/jpeg")
    assert originals.names == ["1.jpg", "2.jpg", "3.jpg"]
