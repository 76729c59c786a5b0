"""Writes points in InfluxDB's line protocol, as influxdb-client's ``Point`` does, at an eighth of its time.

Every message that is stored passes here, so it is the one part of that library that is not used
(docs/decisions/0020-influxdb-layout.md); a test holds both to the same bytes.
"""

import math
import re
from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import unquote

import msgspec

Value = str | int | float | None

_quote = msgspec.json.Encoder().encode


def to_tag(text: str) -> str:
    """Write a tag: line protocol has no way to say a line's end, and a backslash at a tag's end breaks the line."""
    return re.sub(r"[\x00-\x1f\x7f%\\]", lambda found: f"%{ord(found[0]):02X}", text)


def from_tag(text: str) -> str:
    """Read a tag back."""
    return unquote(text)


def line(measurement: str, tags: Mapping[str, str], fields: Mapping[str, Value], time_ns: int) -> bytes:
    """Write one point.

    Args:
        measurement: Its name; like those of tags and fields of letters and underscores, so nothing in it is escaped.
        tags: Any text; empty ones are left out, as the protocol has no empty tag.
        fields: Those without a value, and numbers that are none, are left out.
        time_ns: Nanoseconds since 1970.
    """
    written = [f"{name}={text}" for name in _in_order(tuple(fields)) if (text := value_text(fields[name]))]
    return f"{measurement}{tag_text(tuple(tags.items()))} {','.join(written)} {time_ns}".encode()


@lru_cache(maxsize=10_000)  # stations, sensors, taxa and models are few, and come with every point
def tag_text(tags: tuple[tuple[str, str], ...]) -> str:
    """Write tags as they follow a measurement's name; empty ones are left out."""
    return "".join(f",{name}={_tag(text)}" for name, text in sorted(tags) if text)


@lru_cache(maxsize=1_000)
def _in_order(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(names))


def _tag(text: str) -> str:
    return re.sub(r"([,= ])", r"\\\1", to_tag(text))


def document(payload: bytes) -> bytes:
    """Write what was read as JSON as a field, at a third of ``value_text``'s time.

    JSON quotes a text as line protocol does, but for control characters; a document has them between its words alone,
    and there only three kinds (RFC 8259, 2 and 7).
    """
    text = payload.decode(errors="replace")
    if "\n" in text or "\t" in text or "\r" in text:
        return value_text(text).encode()
    return _quote(text)


def value_text(value: Value) -> str:
    """Write a field's value; nothing for what is none."""
    if isinstance(value, str):
        if '"' in value or "\\" in value:
            value = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{value}"'
    if isinstance(value, float):
        return str(value).removesuffix(".0") if math.isfinite(value) else ""
    return "" if value is None else f"{value:d}i"
