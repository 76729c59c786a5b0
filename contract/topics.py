"""Where each kind of message travels: ``<prefix>/v1/<station>/<kind>``."""

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
    """Name the topic of one station's messages of one kind.

    Raises:
        ValueError: the prefix is empty or holds a wildcard or a blank level.
    """
    levels = prefix.split("/")
    if not all(levels) or re.search(r"[+#\s\0]", prefix) or prefix.startswith("$"):
        raise ValueError(f"topic prefix {prefix!r}: expected levels such as 'wildpost' or 'county/reserve'")
    return f"{prefix}/v{MAJOR}/{station}/{kind}"


def subscription(prefix: str, kind: Kind | Literal["+"] = "+", group: str = "") -> str:
    """Name the filter under which a server hears every station, in this and every later version.

    Args:
        prefix: First levels of every topic.
        kind: Only messages of this kind; "+": all, also those of kinds not known here.
        group: Workers that share the messages: each message goes to one of them (MQTT 5, ``$share``); "": to this one.

    Raises:
        ValueError: the group holds a slash or a wildcard.
    """
    if re.search(r"[/+#\s\0]", group):
        raise ValueError(f"group {group!r}: expected a word without /, + and #")
    return f"{f'$share/{group}/' if group else ''}{prefix}/+/+/{kind}"


@lru_cache(maxsize=1024)  # a site has some hundred topics; a hostile one may be 64 kB, and is kept no longer than these
def parse_topic(topic: str) -> Topic:
    """Take a topic apart.

    Raises:
        ValueError: it does not have the form ``<prefix>/v<number>/<station>/<kind>``.
    """
    found = _SHAPE.fullmatch(topic)
    if found is None:
        raise ValueError(f"topic {topic!r}: expected <prefix>/v{MAJOR}/<station>/<kind>")
    return Topic(found["prefix"], int(found["major"]), found["station"], found["kind"])
