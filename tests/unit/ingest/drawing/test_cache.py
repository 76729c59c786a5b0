"""Finished drawings stay within a size, the ones used last longest, and nobody else can read them."""

import os
import stat
from pathlib import Path

from ingest.drawing.cache import DrawnCache


def test_a_drawing_is_there_after_a_restart(tmp_path: Path) -> None:
    DrawnCache(tmp_path / "drawn").keep("a", b"drawing")
    DrawnCache(tmp_path / "drawn").refuse("b", "太大")
    again = DrawnCache(tmp_path / "drawn")
    assert (again.drawing("a"), again.drawing("b"), again.drawing("c")) == (b"drawing", None, None)
    assert (again.refusal("a"), again.refusal("b")) == (None, "太大")


def test_the_folder_stays_within_its_limit_and_the_one_used_longest_ago_goes_first(tmp_path: Path) -> None:
    cache = DrawnCache(tmp_path, limit_bytes=1_000_000)
    for number in range(300):
        cache.keep(f"{number}", bytes(20_000))
        os.utime(tmp_path / f"{number}", (number, number))  # one a second
        assert cache.drawing("0") is not None, "it was used just now"
    total = sum(path.stat().st_size for path in tmp_path.iterdir())
    assert 500_000 < total < 1_100_000
    assert cache.drawing("299") is not None
    assert cache.drawing("100") is None


def test_many_small_files_count_as_what_they_take_on_disk(tmp_path: Path) -> None:
    cache = DrawnCache(tmp_path, limit_bytes=400_000)
    for number in range(1_000):
        cache.refuse(f"{number}", "no")
    assert len(list(tmp_path.iterdir())) < 120


def test_drawings_can_be_read_by_nobody_else(tmp_path: Path) -> None:
    cache = DrawnCache(tmp_path / "drawn")
    cache.keep("a", b"drawing")
    assert [stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "drawn", tmp_path / "drawn/a")] == [0o700, 0o600]


def test_a_full_or_missing_disk_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    cache = DrawnCache(tmp_path / "file" / "drawn")
    cache.keep("a", b"drawing")
    assert cache.drawing("a") is None
