"""Names of the broker's users, and the topics that each user may publish and receive."""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Literal

from contract.errors import InvalidInput
from contract.server_users import ACCOUNT, ADMIN, SERVER_USERS
from contract.topics import CHANNELS, KINDS, MAJOR, revoked_topic, subscription

WATCH, HOME_ASSISTANT, ALERT_READER = "wildpost-watch", "wildpost-home-assistant", "wildpost-alert-reader"
CONSUMERS = (WATCH, HOME_ASSISTANT, ALERT_READER)
NOT_STATIONS = (ACCOUNT, *SERVER_USERS, *CONSUMERS, ADMIN)
_RESERVED = "wildpost"  # a user name is a client id at the broker, and the server's client ids begin with this
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")  # the same as for a station's name in messages
_DISCOVERY = "homeassistant"  # topic prefix on which Home Assistant discovers devices

AclType = Literal["publishClientSend", "publishClientReceive", "subscribeLiteral", "subscribePattern"]


class BrokerFolderError(InvalidInput):
    """The broker's files cannot be created or changed; the message says why."""


@dataclass(frozen=True, slots=True)
class Right:
    """One entry of an access control list of the dynamic-security plugin; topics may have wildcards."""

    kind: AclType
    topic: str


def check_station_name(name: str, users: Collection[str]) -> None:
    """Check that a name can be the user name of a new station.

    Raises:
        BrokerFolderError: it is no valid level of a topic, reserved for the server, or like an existing user's name.
    """
    if not _NAME.fullmatch(name):
        raise BrokerFolderError(f"station {name!r}: expected up to 63 letters, digits, - and _, the first no - or _")
    if name in users:
        raise BrokerFolderError(f"station {name!r} already exists: use rotate for a new password")
    if name.casefold().startswith(_RESERVED):
        raise BrokerFolderError(f"station {name!r}: names that begin with {_RESERVED} are reserved for the server")
    alike = next((user for user in users if user.casefold() == name.casefold()), None)
    if alike is not None:
        raise BrokerFolderError(f"station {name!r}: differs from {alike!r} only in upper and lower case")


def rights_of(user: str, prefix: str) -> list[Right]:
    """Return all rights of a user; what is not listed is refused."""
    return list(dict.fromkeys(_rights(user, prefix)))


def _rights(user: str, prefix: str) -> Iterator[Right]:
    if user == ADMIN:
        yield from (Right("publishClientSend", topic) for topic in ("$CONTROL/dynamic-security/#", f"{prefix}/#"))
        yield from _may_read("$CONTROL/dynamic-security/#")
    elif user == "wildpost-server":
        for topic in (subscription(prefix), *(subscription(prefix, kind) for kind in KINDS)):
            yield Right("subscribeLiteral", topic)
            yield Right("subscribePattern", f"$share/+/{topic}")
        yield Right("subscribeLiteral", revoked_topic(prefix, "+"))
        yield Right("publishClientReceive", subscription(prefix))
        yield Right("publishClientReceive", revoked_topic(prefix, "+"))
    elif user == "wildpost-live":
        yield Right("subscribeLiteral", subscription(prefix, "event"))
        yield Right("subscribePattern", f"$share/+/{subscription(prefix, 'event')}")
        yield Right("publishClientReceive", subscription(prefix, "event"))
        yield from _may_read(revoked_topic(prefix, "+"))
    elif user == "wildpost-alerts":
        yield Right("publishClientSend", f"{prefix}/alerts/+")
    elif user == "wildpost-home":
        yield Right("publishClientSend", f"{prefix}/home/+")
        yield Right("publishClientSend", f"{_DISCOVERY}/device/+/config")
    elif user == "wildpost-commands":
        yield from (Right("publishClientSend", f"{prefix}/v{MAJOR}/+/{channel}") for channel in CHANNELS)
    elif user == ACCOUNT:
        for part in SERVER_USERS:
            yield from _rights(part, prefix)
        yield from _rights(WATCH, prefix)
    elif user == WATCH:
        yield from _may_read(f"{prefix}/#", f"{_DISCOVERY}/#")
    elif user == HOME_ASSISTANT:
        yield from _may_read(f"{_DISCOVERY}/#", f"{prefix}/home/#")
        yield Right("publishClientSend", f"{_DISCOVERY}/status")
    elif user == ALERT_READER:
        yield from _may_read(f"{prefix}/alerts/#")
    else:
        yield from (Right("publishClientSend", f"{prefix}/v{MAJOR}/{user}/{kind}") for kind in KINDS)
        for channel in CHANNELS:
            yield Right("subscribeLiteral", f"{prefix}/v{MAJOR}/{user}/{channel}")
            yield Right("publishClientReceive", f"{prefix}/v{MAJOR}/{user}/{channel}")


def _may_read(*topics: str) -> Iterator[Right]:
    for topic in topics:
        yield Right("subscribePattern", topic)
        yield Right("publishClientReceive", topic)
