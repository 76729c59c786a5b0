"""Correction of a device's clock by one capture whose true time is known."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, tzinfo

from captures.capture_time import film_time, picture_time, recording_time
from captures.decoded import Unreadable
from captures.film import read_film
from contract import Clock
from contract.errors import InvalidInput
from ingest.store.microseconds import MICROSECOND
from pipelines.card_import.card_files import CardFile
from pipelines.card_import.deployments import CardDeployment


@dataclass(frozen=True, slots=True)
class KnownTime:
    """The true time of one file, as a person gave it."""

    name: str
    taken_at: datetime


@dataclass(frozen=True, slots=True)
class ClockCorrection:
    """What is added to the times of one device.

    Attributes:
        deployment: Its deployment.
        by_name: The file whose true time was given.
        offset: True time minus the time in the file.
    """

    deployment: CardDeployment
    by_name: str
    offset: timedelta

    def __str__(self) -> str:
        """Return the correction as text."""
        sign = "-" if self.offset < timedelta(0) else "+"
        return f"clock corrected by {sign}{abs(self.offset)} ({self.by_name})"


def correct_clocks(
    files: Sequence[CardFile], known: Sequence[KnownTime], zone: tzinfo
) -> tuple[list[CardFile], list[ClockCorrection]]:
    """Return the files with the corrections of their devices' clocks, and these corrections.

    A correction is for all files of the same deployment and kind of device (camera or recorder).

    Raises:
        InvalidInput: a name stands for none or for several files, a file has no time of its own, or two files of one
            device are given.
    """
    corrections: dict[tuple[tuple[str, str], bool], tuple[ClockCorrection, bool]] = {}
    for one in known:
        file = _named(files, one.name)
        taken, clock = _time_of(file, zone)
        if clock.source == "copy":
            raise InvalidInput(
                f"{file.inside}: has no capture time of its own, so that it says nothing about the clock"
            )
        key = _device(file)
        if key in corrections:
            earlier = corrections[key][0].by_name
            raise InvalidInput(f"{file.inside} and {earlier} are of one device: expected one of them")
        correction = ClockCorrection(file.deployment, file.inside, one.taken_at - taken)
        corrections[key] = correction, clock.source == "none"
    corrected = []
    for file in files:
        if (found := corrections.get(_device(file))) is not None:
            correction, was_reset = found
            offset_us = correction.offset // MICROSECOND
            file = replace(file, clock_offset_us=offset_us, clock_was_reset=was_reset)
        corrected.append(file)
    return corrected, [correction for correction, _ in corrections.values()]


def _device(file: CardFile) -> tuple[tuple[str, str], bool]:
    return file.deployment.key, file.family == "recording"


def _named(files: Sequence[CardFile], name: str) -> CardFile:
    wanted = name.replace("\\", "/").strip("/").casefold()
    found = [one for one in files if f"/{one.inside.casefold()}".endswith(f"/{wanted}")]
    if not found:
        raise InvalidInput(f"{name}: no such file on the card; expected a capture, such as DCIM/100MEDIA/IMG_0001.JPG")
    if len(found) > 1:
        shown = ", ".join(one.inside for one in found[:3])
        raise InvalidInput(f"{name}: {len(found)} files have this name ({shown}): expected one, with its folder")
    return found[0]


def _time_of(file: CardFile, zone: tzinfo) -> tuple[datetime, Clock]:
    try:
        if file.family == "film":
            return film_time(file.path, read_film(file.path).head.tags, zone, file.modified_ns)
        read_time = recording_time if file.family == "recording" else picture_time
        return read_time(file.path, zone, file.modified_ns)
    except (Unreadable, OSError) as error:
        raise InvalidInput(f"{file.inside}: its time cannot be read: {error}") from error
