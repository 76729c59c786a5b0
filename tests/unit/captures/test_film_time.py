"""A film begins at its container's time, else the one in its name, else that of its last change."""

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from captures.capture_time import film_time

CHINA = timezone(timedelta(hours=8))
NOW = datetime(2026, 6, 1, tzinfo=UTC)
WRITTEN = datetime(2026, 5, 20, 3, tzinfo=UTC)
PHONE = "com.apple.quicktime.creationdate"
SIX = datetime(2026, 5, 1, 6, tzinfo=UTC)


def taken(name: str, tags: dict[str, str], written: datetime = WRITTEN) -> tuple[datetime, str]:
    modified_ns = round(written.timestamp()) * 10**9
    moment, clock = film_time(Path("DCIM") / name, tags, CHINA, modified_ns, NOW)
    return moment.astimezone(UTC), clock.source


@pytest.mark.parametrize(
    ("name", "tags", "expected"),
    [
        ("IMAG0001.MP4", {"creation_time": "2026-05-01T06:00:00.000000Z"}, (SIX, "recorder")),
        ("IMAG0001.AVI", {"creation_time": "2026-05-01 14:00:00"}, (SIX, "recorder")),
        ("IMG.MOV", {"creation_time": "2026-05-01T07:00:00Z", PHONE: "2026-05-01T14:00:00+0800"}, (SIX, "recorder")),
        ("a.avi", {"date": "2026:05:01 14:00:00"}, (SIX, "recorder")),
        ("VID_20260501_140000.mp4", {}, (SIX, "name")),
        ("VID_20260501_140000.mp4", {"creation_time": "1904-01-01T00:00:00Z"}, (SIX, "name")),
        ("IMAG0001.MP4", {"creation_time": "nonsense"}, (WRITTEN, "copy")),
        ("IMAG0001.MP4", {}, (WRITTEN, "copy")),
    ],
)  # fmt: skip
def test_the_most_trustworthy_time_counts(name: str, tags: dict[str, str], expected: tuple[datetime, str]) -> None:
    assert taken(name, tags) == expected


def test_a_camera_that_writes_its_local_time_as_utc_is_found_out() -> None:
    local = {"creation_time": "2026-05-01T14:00:05Z"}
    assert taken("20260501_140000.MP4", local)[0] == SIX + timedelta(seconds=5)
    assert taken("IMAG0001.MP4", local, written=SIX + timedelta(seconds=40))[0] == SIX + timedelta(seconds=5)
    # The same time, where nothing speaks for a local one.
    assert taken("IMAG0001.MP4", local)[0] == SIX + timedelta(hours=8, seconds=5)
    assert taken("20260501_220000.MP4", local)[0] == SIX + timedelta(hours=8, seconds=5)
