"""Reading of the capture time from an XMP packet, without an XML parser: the packet comes from an unknown file."""

import re

from captures.written_time import WrittenTime, parse_time

# In order of trust; ModifyDate and MetadataDate are those of later programs (XMP specification, part 2).
_NAMES = ("DateTimeOriginal", "DateCreated", "DateTimeDigitized", "CreateDate")


def xmp_times(packet: bytes) -> list[WrittenTime]:
    """Return the times of an XMP packet, in XML of any length, the most trustworthy first."""
    text = packet.replace(b"\0", b"").decode("utf-8", "replace")  # a packet in UTF-16 keeps its ASCII characters
    found: list[WrittenTime] = []
    for name in _NAMES:
        value = re.search(rf"[\w]:{name}\s{{0,8}}(?:=\s{{0,8}}[\"']|>)\s{{0,8}}([^\"'<>]{{8,64}})", text)
        if value is not None and (time := parse_time(value[1])) is not None:
            found.append(time)
    return found
