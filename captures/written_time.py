"""Parsing of dates and times in the forms in which cameras and recorders write them as text."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo

_DIGITS = (
    r"(?P<hour>\d{1,2})(?P<apart>[:.\-h])(?P<minute>\d{1,2})"
    r"(?:(?:(?P=apart)|m)(?P<second>\d{1,2})(?:[.,](?P<fraction>\d{1,9}))?)?"
)
_CLOCK = rf"(?P<before>上午|下午)?\s*{_DIGITS}s?(?:\s*(?P<half>[AaPp])\.?[Mm]\.?(?![A-Za-z]))?"
_ZONE = r"(?:\s*(?P<zone>Z(?![A-Za-z])|(?:UTC|GMT)?\s*[+-]\d{1,2}(?::?\d\d)?(?!\d)|UTC|GMT))?"
_BETWEEN = r"(?:[T_,:]|\s)\s*"
_YEAR_FIRST = re.compile(
    rf"\s*(?P<year>\d{{4}})\s*[:\-/.](?P<month> ?\d{{1,2}})\s*[:\-/.](?P<day> ?\d{{1,2}}){_BETWEEN}{_CLOCK}{_ZONE}"
)
_YEAR_LAST = re.compile(
    rf"\s*(?P<first>\d{{1,2}})[:\-/.](?P<second_>\d{{1,2}})[:\-/.](?P<year>\d{{4}}){_BETWEEN}{_CLOCK}{_ZONE}"
)
_COMPACT = re.compile(
    r"\s*(?P<year>\d{4})(?P<month>\d\d)(?P<day>\d\d)[T_ ]?(?P<hour>\d\d)(?P<minute>\d\d)(?P<second>\d\d)"
    rf"(?:[.,](?P<fraction>\d{{1,9}}))?(?!\d){_ZONE}"
)
_OFFSET = re.compile(r"\s*(?:UTC|GMT)?\s*(?P<sign>[+-])(?P<hours>\d{1,2})(?::?(?P<minutes>\d\d))?\s*")
_GREATEST_OFFSET = timedelta(hours=14)  # no place is further from UTC


@dataclass(frozen=True, slots=True)
class WrittenTime:
    """A date and time as a device wrote it.

    Attributes:
        local: Date and time by the device's clock, without a zone.
        zone: The zone that was written with it; None: none.
    """

    local: datetime
    zone: tzinfo | None = None

    def at(self, zone: tzinfo) -> datetime:
        """Return the moment, with a fixed offset; ``zone`` is used if no zone was written.

        A local time that a clock change skips is read with the offset before the change, and one that occurs twice
        is the first of the two (RFC 5545, 3.3.5).

        Raises:
            OverflowError: the moment is outside the years of ``datetime``.
        """
        offset = (self.zone or zone).utcoffset(self.local) or timedelta(0)
        minutes = timedelta(minutes=round(offset / timedelta(minutes=1)))  # local mean times have seconds too
        moment = self.local.replace(tzinfo=timezone(minutes))
        moment.astimezone(UTC)  # raises if UTC cannot represent it
        return moment


def parse_time(text: str) -> WrittenTime | None:
    """Parse a date and time, such as "2026:05:01 22:10:11", "2026-05-01T22:10:11+08:00" or "5/1/2026 10:10:11 PM".

    Separators may be ``: - / .``, the hour may be 24, seconds and their fraction may be missing. A date that ends with
    its year is read as month and day where AM or PM follows, else only if one order alone gives a date.

    Returns:
        The time; None if the text is no real date and time.
    """
    if (found := _YEAR_FIRST.match(text) or _COMPACT.match(text)) is not None:
        orders = [(int(found["month"]), int(found["day"]))]
    elif (found := _YEAR_LAST.match(text)) is not None:
        first, second = int(found["first"]), int(found["second_"])
        orders = [(first, second)] if found["half"] else [(first, second), (second, first)]
    else:
        return None
    times = {
        local
        for month, day in orders
        if (local := _local(int(found["year"]), month, day, found.groupdict())) is not None
    }
    if len(times) != 1:
        return None
    zone = found["zone"]
    return WrittenTime(times.pop(), parse_offset(zone) if zone else None)


def parse_offset(text: str) -> tzinfo | None:
    """Parse an offset from UTC, such as "+08:00", "-0330", "UTC+8" or "Z"; None if it is none that a place has."""
    if text.strip() in ("Z", "UTC", "GMT"):
        return UTC
    found = _OFFSET.fullmatch(text)
    if found is None:
        return None
    minutes = int(found["minutes"] or 0)
    offset = timedelta(hours=int(found["hours"]), minutes=minutes)
    if offset > _GREATEST_OFFSET or minutes % 15:
        return None
    return timezone(-offset if found["sign"] == "-" else offset)


def day_and_time(year: int, month: int, day: int, hour: int, minute: int, second: int) -> datetime | None:
    """Return a date and time without a zone; hour 24 is hour 0 of the next day; None if there is no such time."""
    try:
        moment = datetime(year, month, day, 0 if hour == 24 else hour, minute, second)  # noqa: DTZ001, see WrittenTime
        return moment + timedelta(days=1) if hour == 24 else moment
    except (ValueError, OverflowError):
        return None


def hour_of_half_day(hour: int, afternoon: bool) -> int:
    """Return the hour 0..23 of an hour 1..12 of a half of the day; an hour above 12 is returned unchanged."""
    if hour > 12:
        return hour
    return hour % 12 + (12 if afternoon else 0)


def _local(year: int, month: int, day: int, parts: dict[str, str | None]) -> datetime | None:
    hour = int(parts["hour"] or 0)
    half, before = parts.get("half"), parts.get("before")
    if half or before:
        hour = hour_of_half_day(hour, afternoon=before == "下午" or (half or "").lower() == "p")
    moment = day_and_time(year, month, day, hour, int(parts["minute"] or 0), int(parts["second"] or 0))
    if moment is None:
        return None
    return moment.replace(microsecond=int((parts["fraction"] or "0").ljust(6, "0")[:6]))
