"""When a file was captured: by its EXIF data or the recorder's note, else by its name, else by the file system."""

import logging
import re
import struct
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path

from captures.sound import sound_info
from contract import Clock
from contract.messages import ClockSource

# 20210707_053000 and 2021-07-07_05-30-00, as recorders and phones name files; with a Z, as stations do, it is UTC
_IN_NAME = re.compile(
    r"(?<!\d)(20\d\d)-?(\d\d)-?(\d\d)[_T -](\d\d)[-:]?(\d\d)[-:]?(\d\d)(?:\.\d{1,6})?(?:(Z)(?![A-Za-z])|(?!\d))"
)
_EXIF_TIME = "%Y:%m:%d %H:%M:%S"
_BEFORE_CAMERAS = datetime(1995, 1, 1, tzinfo=UTC)


def picture_time(path: Path, zone: tzinfo, modified_ns: int) -> tuple[datetime, Clock]:
    """Tell when a picture was taken, and how far to trust it.

    Args:
        path: Of the picture.
        zone: In which the camera's clock runs, where the picture does not say.
        modified_ns: When the file was last written.
    """
    return _from_exif(path, zone) or _from_name(path, zone) or _from_file(modified_ns)


def recording_time(path: Path, zone: tzinfo, modified_ns: int) -> tuple[datetime, Clock]:
    """Tell when a recording began, and how far to trust it.

    Raises:
        Unreadable: it is no recording.
    """
    noted = sound_info(path).recorded_at
    if noted is not None:
        return noted, Clock(source="rtc", synchronised=False)
    return _from_name(path, zone) or _from_file(modified_ns)


def _from_exif(path: Path, zone: tzinfo) -> tuple[datetime, Clock] | None:
    import exifread
    from exifread.core.exceptions import ExifError

    logging.getLogger("exifread").setLevel(logging.CRITICAL)  # a picture without EXIF is no news
    try:
        with path.open("rb") as file:
            # No details, no thumbnail: a maker's own notes have broken many a reader.
            tags = exifread.process_file(file, details=False, extract_thumbnail=False)
    except (ExifError, ValueError, IndexError, KeyError, struct.error):
        return None  # whether the picture itself can be used is for its reader to say
    taken = str(tags.get("EXIF DateTimeOriginal", "")).strip("\0 ")
    offset = str(tags.get("EXIF OffsetTimeOriginal", "")).strip("\0 ")
    try:
        moment = datetime.strptime(taken, _EXIF_TIME)  # noqa: DTZ007, its zone is decided below
    except ValueError:
        return None
    if offset:
        try:
            told = datetime.fromisoformat(f"{moment.isoformat()}{offset}")
        except ValueError:
            told = moment  # "   :  " and the like: the camera does not know either
        if told.tzinfo is not None:
            return told, Clock(source="exif", synchronised=False)
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
    # Who wrote this file had no clock: it began at the epoch of Unix or of FAT.
    source: ClockSource = "none" if moment < _BEFORE_CAMERAS else "file"
    return moment, Clock(source=source, synchronised=False)
