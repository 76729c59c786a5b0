"""Reading of the capture time from the file names of phones, cameras and recorders."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime

from captures.written_time import WrittenTime, day_and_time, hour_of_half_day, parse_offset

# Year first: 20260501_221011, 2026-05-01 22.10.11, WIN_20260501_22_10_11_Pro, 2026-05-01__22-10-11, 20260501221011,
# 2026-05-01-birdnet-22:10:11, WhatsApp Image 2026-05-01 at 10.10.11 PM, 20260501T221011+1000; a dollar sign marks a
# Song Meter's clock that GPS has set.
_YEAR_FIRST = re.compile(
    r"(?P<year>(?:19|20)\d\d)(?P<between>[-_. :]?)(?P<month>\d\d)(?P=between)(?P<day>\d\d)"
    r"(?:[_T $.-]{0,3}|[ _]at[ _]|-birdnet-(?:[A-Za-z0-9_]{1,60}-)?)"
    r"(?P<hour>\d\d)(?P<apart>[-_. :]?)(?P<minute>\d\d)(?P=apart)(?P<second>\d\d)"
    r"(?:[.,]?(?P<fraction>\d{3}|(?<=[.,])\d{1,6})(?!\d))?(?:[ _]?(?P<half>[AaPp])[Mm](?![A-Za-z]))?"
    r"(?:(?P<zone>Z(?![A-Za-z])|[_ ]?UTC(?:[+-]\d{1,2}(?::?\d\d)?)?(?![A-Za-z0-9])"
    r"|[_ ]?[+-]\d\d:?\d\d(?!\d|\.\d|[A-Za-z])|\+\d\d(?!\d|\.\d|[A-Za-z]))"
    r"|(?!\d))"
)
# Month first, of 4G cameras: 860123456789012-28-4-05012026221011-SYFW00012
_MONTH_FIRST = re.compile(
    r"(?P<month>\d\d)(?P<day>\d\d)(?P<year>20\d\d)(?P<hour>\d\d)(?P<minute>\d\d)(?P<second>\d\d)-(?=[A-Z]{2,}\d)"
)
_CHINESE = re.compile(
    r"(?P<year>(?:19|20)\d\d)年(?P<month>\d{1,2})月(?P<day>\d{1,2})日[ _-]?"
    r"(?P<hour>\d{1,2})[时點点](?P<minute>\d{1,2})分(?P<second>\d{1,2})秒?"
)
_FORMS = (_YEAR_FIRST, _MONTH_FIRST, _CHINESE)
_HEXADECIMAL = re.compile(r"(?=.*[A-F])[0-9A-F]{8}")
_IN_MILLISECONDS = re.compile(r"wx_camera_(\d{13})(?!\d)")
_FIRST_AUDIOMOTH_S = 1_483_228_800  # 2017-01-01: the first firmware is younger
_LOOKALIKES = str.maketrans({"\uf03a": ":", "\ua789": ":", "\uff1a": ":", "\u202f": " ", "\xa0": " "})


def times_in_name(name: str, recording: bool) -> Iterator[WrittenTime]:
    """Yield the times in a file name, from left to right; digits that are no real date and time are passed over.

    Args:
        name: Name of the file, without its folder.
        recording: Whether it is a recording: AudioMoth's first firmware named those by the Unix time in hexadecimal.
    """
    text = name.translate(_LOOKALIKES)  # colons and spaces that file systems and phones put in place of the usual ones
    for start in range(len(text)):
        if start and text[start - 1].isdigit():
            continue
        for form in _FORMS:
            found = form.match(text, start)
            if found is not None and (time := _time(found, pixel=text.startswith("PXL_"))) is not None:
                yield time
    if (found := _IN_MILLISECONDS.match(text)) is not None:
        yield _unix(int(found[1]) // 1000)
    if recording and _HEXADECIMAL.fullmatch(stem := text.partition(".")[0]):
        seconds = int(stem, 16)
        if seconds >= _FIRST_AUDIOMOTH_S:
            yield _unix(seconds)


def _time(found: re.Match[str], pixel: bool) -> WrittenTime | None:
    parts = found.groupdict()
    hour = int(parts["hour"])
    if half := parts.get("half"):
        hour = hour_of_half_day(hour, afternoon=half in "Pp")
    year, month, day = int(parts["year"]), int(parts["month"]), int(parts["day"])
    local = day_and_time(year, month, day, hour, int(parts["minute"]), int(parts["second"]))
    if local is None:
        return None
    local = local.replace(microsecond=int((parts.get("fraction") or "0").ljust(6, "0")))
    if pixel:  # the camera app of Pixel phones names pictures in UTC
        return WrittenTime(local, UTC)
    zone = (parts.get("zone") or "").strip("_ ")
    if zone == "-0000":  # an offset that is not known (RFC 3339, 4.3)
        zone = ""
    return WrittenTime(local, parse_offset(zone) if zone else None)


def _unix(seconds: int) -> WrittenTime:
    return WrittenTime(datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None), UTC)
