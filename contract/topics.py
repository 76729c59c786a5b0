"""MQTT topics of the messages: ``<prefix>/v1/<station>/<kind>``."""

import re
from functools import lru_cache
from typing import Literal, NamedTuple, get_args

MAJOR = 1
Kind = Literal["event", "status", "health", "effort", "setaside", "media", "deployment"]
KINDS: tuple[Kind, ...] = get_args(Kind)

_SHAPE = re.compile(r"(?P<prefix>.+)/v(?P<major>\d+)/(?P<station>[^/+#]+)/(?P<kind>[^/+#]+)")


class Topic(NamedTuple):
    """The parts of a topic."""

    prefix: str
    major: int
    station: str
    kind: str


def topic_of(prefix: str, station: str, kind: Kind) -> str:
    """Return the topic of one station's messages of one kind.

    Raises:
        ValueError: the prefix is empty, or has a wildcard, white space or an empty level.
    """
    levels = prefix.split("/")
    if not all(levels) or re.search(r"[+#\s\0]", prefix) or prefix.startswith("$"):
        raise ValueError(f"topic prefix {prefix!r}: expected levels such as 'wildpost' or 'county/reserve'")
    return f"{prefix}/v{MAJOR}/{station}/{kind}"


def subscription(prefix: str, kind: Kind | Literal["+"] = "+", group: str = "") -> str:
    """Return the topic filter for the messages of all stations, in every version of the contract.

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


@lru_cache(maxsize=1024)  # a site has a few hundred topics; the bound limits memory, as a hostile topic may have 64 kB
def parse_topic(topic: str) -> Topic:
    """Parse a topic into its parts.

    Raises:
        ValueError: the topic does not have the form ``<prefix>/v<number>/<station>/<kind>``.
    """
    found = _SHAPE.fullmatch(topic)
    if found is None:
        raise ValueError(f"topic {topic!r}: expected <prefix>/v{MAJOR}/<station>/<kind>")
    return Topic(found["prefix"], int(found["major"]), found["station"], found["kind"])
