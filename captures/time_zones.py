"""Time zones of the clocks of cameras and recorders, by their names in settings."""

from datetime import tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from captures.written_time import parse_offset


def zone_named(name: str) -> tzinfo:
    """Return the zone of an IANA name such as "Europe/Berlin", or of an offset such as "+08:00".

    Raises:
        ValueError: there is no such zone.
    """
    offset = parse_offset(name) if name[:1] in ("+", "-") else None
    if offset is not None:
        return offset
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:  # OSError: a folder of zones, such as Europe
        raise ValueError(
            f"time_zone {name!r}: expected a name such as Europe/Berlin, or an offset such as +08:00"
        ) from error
