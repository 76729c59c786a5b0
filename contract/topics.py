"""MQTT topics: ``<prefix>/v1/<station>/<kind>`` of what a station sends, and likewise of what it is told."""

import re
from functools import lru_cache
from typing import Literal, NamedTuple, get_args

MAJOR = 1
Kind = Literal["event", "status", "health", "effort", "setaside", "media", "deployment", "answer", "part"]
KINDS: tuple[Kind, ...] = get_args(Kind)
Channel = Literal["command", "settings"]  # what the server tells a station; settings are retained
CHANNELS: tuple[Channel, ...] = get_args(Channel)
REVOKED_SUFFIX = "-revoked"  # the server appends it to the topic of a message whose password is no longer valid

_SHAPE = re.compile(r"(?P<prefix>.+)/v(?P<major>\d+)/(?P<station>[^/+#]+)/(?P<kind>[^/+#]+)")


class Topic(NamedTuple):
    """Parts of a parsed MQTT topic: prefix, major version, station and kind."""

    prefix: str
    major: int
    station: str
    kind: str


def topic_of(prefix: str, station: str, kind: Kind | Channel) -> str:
    """Return the MQTT topic for one kind of message of one station, or to it.

    Raises:
        ValueError: the prefix is empty, or has a wildcard, white space or an empty level.
    """
    levels = prefix.split("/")
    if not all(levels) or re.search(r"[+#\s\0]", prefix) or prefix.startswith("$"):
        raise ValueError(f"topic prefix {prefix!r}: expected levels such as 'wildpost' or 'county/reserve'")
    return f"{prefix}/v{MAJOR}/{station}/{kind}"


def subscription(prefix: str, kind: Kind | Literal["+"] = "+", group: str = "") -> str:
    """Return the MQTT topic filter that matches the messages of all stations, in every contract version.

    Args:
        prefix: First levels of every topic.
        kind: Only messages of this kind; "+": all kinds, including unknown ones.
        group: Name of a shared subscription (MQTT 5, ``$share``), whose members receive each message once; "": not
            shared.

    Raises:
        ValueError: the group has a slash, a wildcard or white space.
    """
    if re.search(r"[/+#\s\0]", group):
        raise ValueError(f"group {group!r}: expected a word without /, +, # and white space")
    return f"{f'$share/{group}/' if group else ''}{prefix}/+/+/{kind}"


def revoked_topic(prefix: str, station: str) -> str:
    """Return the topic of the marker between a station's messages before and after a revocation of its password."""
    return f"{prefix}/revoked/{station}"


@lru_cache(maxsize=1024)  # a site has a few hundred topics; the bound limits memory, as a hostile topic may have 64 kB
def parse_topic(topic: str) -> Topic:
    """Split an MQTT topic into prefix, major version, station and kind.

    Raises:
        ValueError: the topic does not have the form ``<prefix>/v<number>/<station>/<kind>``.
    """
    found = _SHAPE.fullmatch(topic)
    if found is None:
        raise ValueError(f"topic {topic!r}: expected <prefix>/v{MAJOR}/<station>/<kind>")
    return Topic(found["prefix"], int(found["major"]), found["station"], found["kind"])
