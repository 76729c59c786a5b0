"""Capture time of a picture, film or recording: from its metadata, else its file name, else the time of change."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path

from captures.exif_time import read_exif_times
from captures.name_time import times_in_name
from captures.plausible_time import PossibleTimes
from captures.recorder_time import read_recorder_times
from captures.sound import sound_info
from captures.written_time import WrittenTime, parse_time
from contract import Clock
from contract.bounds import is_representable
from contract.messages import ClockSource

# Tags of films with the time of the beginning, as FFmpeg names them; the first has the zone of a phone.
_FILM_TAGS = ("com.apple.quicktime.creationdate", "creation_time", "datetimeoriginal", "date_recorded", "date")
_SAME_CLOCK = timedelta(minutes=10)  # between the beginning of a film, its name and its last change
_Candidate = tuple[datetime | None, ClockSource]  # None: outside the years that a message can hold


def picture_time(
    path: Path, zone: tzinfo, modified_ns: int, now: datetime | None = None, deployed: datetime | None = None
) -> tuple[datetime, Clock]:
    """Return the capture time of a picture file, and the source of that time.

    The source is "exif" (with XMP and maker notes), "name", or "copy" for the time at which the file was last written.
    It is "none" where no running clock can have shown the time (see ``PossibleTimes``).

    Args:
        path: Path of the picture.
        zone: Time zone of the camera's clock, for pictures that do not state one.
        modified_ns: Modification time of the file, in nanoseconds.
        now: Current time; None: by the clock of this machine.
        deployed: When the deployment began; None: not known.
    """
    with path.open("rb") as file:
        exif = read_exif_times(file)
    # Further times of the same file come from the same clock, or from a program that changed the file later.
    stored = _at(exif, zone, "exif")[:1]
    return _choose([*stored, *_in_name(path, zone, recording=False)], modified_ns, now, deployed)


def recording_time(
    path: Path, zone: tzinfo, modified_ns: int, now: datetime | None = None, deployed: datetime | None = None
) -> tuple[datetime, Clock]:
    """Return the start time of a recording, and the source of that time; arguments as in ``picture_time``.

    The source of a time in the recorder's metadata is "recorder".

    Raises:
        Unreadable: the file is not a recording.
    """
    noted = sound_info(path).recorded_at
    stored = _at(read_recorder_times(path), zone, "recorder")
    if noted is not None and not stored:  # in a comment of another format than WAV
        stored = [(noted, "recorder")]
    return _choose([*stored[:1], *_in_name(path, zone, recording=True)], modified_ns, now, deployed)


def film_time(
    path: Path,
    tags: Mapping[str, str],
    zone: tzinfo,
    modified_ns: int,
    now: datetime | None = None,
    deployed: datetime | None = None,
) -> tuple[datetime, Clock]:
    """Return the time at which a film begins, and the source of that time; further arguments as in ``picture_time``.

    The source of a time in the container is "recorder". MP4 and MOV store UTC (ISO/IEC 14496-12, 8.2.2), but many
    cameras write their local time there: where it agrees with the local time in the file name, or with the file's
    last change, only as a local time, it is read as one.

    Args:
        path: Path of the film.
        tags: Tags of its container, by name in small letters.
        zone: Time zone of the camera's clock.
        modified_ns: Modification time of the file, in nanoseconds.
        now: Current time; None: by the clock of this machine.
        deployed: When the deployment began; None: not known.
    """
    texts = [tags[name] for name in _FILM_TAGS if name in tags]
    times = [time for text in texts if (time := parse_time(text)) is not None]
    named = list(times_in_name(path.name, recording=False))
    written = datetime.fromtimestamp(modified_ns / 1e9, UTC)
    stored = [WrittenTime(one.local) if _is_local(one, named, written, zone) else one for one in times]
    return _choose([*_at(stored, zone, "recorder")[:1], *_at(named, zone, "name")], modified_ns, now, deployed)


def _is_local(time: WrittenTime, named: Sequence[WrittenTime], written: datetime, zone: tzinfo) -> bool:
    """Return whether a time that a film states as UTC is a local time."""
    if time.zone is not UTC or not is_representable(time.local):
        return False
    others = [one.at(zone) for one in named if is_representable(one.local)] or [written]
    as_utc, as_local = time.at(zone), WrittenTime(time.local).at(zone)
    return any(abs(as_local - one) <= _SAME_CLOCK < abs(as_utc - one) for one in others)


def _in_name(path: Path, zone: tzinfo, recording: bool) -> list[_Candidate]:
    return _at(times_in_name(path.name, recording), zone, "name")


def _at(times: Iterable[WrittenTime], zone: tzinfo, source: ClockSource) -> list[_Candidate]:
    return [(_moment(time, zone), source) for time in times]


def _moment(time: WrittenTime, zone: tzinfo) -> datetime | None:
    if not is_representable(time.local):
        return None
    moment = time.at(zone)
    return moment if is_representable(moment.astimezone(UTC)) else None


def _choose(
    candidates: Sequence[_Candidate], modified_ns: int, now: datetime | None, deployed: datetime | None
) -> tuple[datetime, Clock]:
    """Return the first plausible time; without one, the first time as it was written, with the source "none"."""
    written = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=modified_ns // 1000)
    possible = PossibleTimes(now or datetime.now(UTC), written, deployed)
    for moment, source in candidates:
        if moment is not None and possible.contain(moment):
            return moment, Clock(source=source, synchronised=False)
    if candidates:  # the order and the intervals of captures are right even if the date is not
        moment = next((moment for moment, _ in candidates if moment is not None), written)
        return moment, Clock(source="none", synchronised=False)
    return written, Clock(source="copy" if possible.contain(written) else "none", synchronised=False)
