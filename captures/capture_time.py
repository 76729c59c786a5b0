"""Capture time of a picture or recording, from its metadata, its file name or the file system, in this order."""

import re
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path

from captures.exif_time import read_exif_time
from captures.sound import sound_info
from contract import Clock
from contract.messages import ClockSource

# 20210707_053000 and 2021-07-07_05-30-00, as in file names of recorders and phones; with a Z (stations): UTC
_IN_NAME = re.compile(
    r"(?<!\d)(20\d\d)-?(\d\d)-?(\d\d)[_T -](\d\d)[-:]?(\d\d)[-:]?(\d\d)(?:\.\d{1,6})?(?:(Z)(?![A-Za-z])|(?!\d))"
)
_EXIF_TIME = "%Y:%m:%d %H:%M:%S"
_BEFORE_CAMERAS = datetime(1995, 1, 1, tzinfo=UTC)


def picture_time(path: Path, zone: tzinfo, modified_ns: int) -> tuple[datetime, Clock]:
    """Return the capture time of a picture file, and the source of that time.

    Args:
        path: Path of the picture.
        zone: Time zone of the camera's clock, for pictures that do not state one.
        modified_ns: Modification time of the file, in nanoseconds.
    """
    return _from_exif(path, zone) or _from_name(path, zone) or _from_file(modified_ns)


def recording_time(path: Path, zone: tzinfo, modified_ns: int) -> tuple[datetime, Clock]:
    """Return the start time of a recording, and the source of that time; arguments as in ``picture_time``.

    Raises:
        Unreadable: the file is not a recording.
    """
    recorded_at = sound_info(path).recorded_at
    if recorded_at is not None:
        return recorded_at, Clock(source="rtc", synchronised=False)
    return _from_name(path, zone) or _from_file(modified_ns)


def _from_exif(path: Path, zone: tzinfo) -> tuple[datetime, Clock] | None:
    with path.open("rb") as file:
        found = read_exif_time(file)
    if found is None:
        return None
    taken, offset = found.taken, found.offset
    try:
        moment = datetime.strptime(taken, _EXIF_TIME)  # noqa: DTZ007, its zone is decided below
    except ValueError:
        return None
    if offset:
        try:
            with_offset = datetime.fromisoformat(f"{moment.isoformat()}{offset}")
        except ValueError:
            with_offset = moment  # a blank offset such as "   :  ": the camera does not know its zone
        if with_offset.tzinfo is not None:
            return with_offset, Clock(source="exif", synchronised=False)
    return moment.replace(tzinfo=zone), Clock(source="exif", synchronised=False)


def _from_name(path: Path, zone: tzinfo) -> tuple[datetime, Clock] | None:
    found = _IN_NAME.search(path.name)
    if found is None:
        return None
    year, month, day, hour, minute, second = (int(part) for part in found.groups()[:6])
    try:
        moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC if found.group(7) else zone)
    except ValueError:
        return None
    return moment, Clock(source="file", synchronised=False)


def _from_file(modified_ns: int) -> tuple[datetime, Clock]:
    moment = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=modified_ns // 1000)
    # Such a time is the epoch of Unix or FAT: the device that wrote the file had no clock.
    source: ClockSource = "none" if moment < _BEFORE_CAMERAS else "file"
    return moment, Clock(source=source, synchronised=False)
