"""Reads Host and Origin headers strictly: a name or address of this server, and a port, and nothing else."""

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass

LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "[::1]")
_HOST = re.compile(r"(?P<name>[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\])(?::(?P<port>[0-9]{1,5}))?", re.ASCII)
_DEFAULT_PORTS = {"http": 80, "https": 443}
_LONGEST = 261  # a name of 253 characters (RFC 1035), a colon and a port, or less


@dataclass(frozen=True, slots=True)
class HostName:
    """A host of a Host header: the name in lower case, IPv6 addresses compressed in brackets, and the port if given."""

    name: str
    port: int | None = None


def parse_host(header: str) -> HostName | None:
    """Parse a Host header (RFC 9110, section 7.2); return None if it is anything but a name or address and a port."""
    found = _HOST.fullmatch(header.lower()) if len(header) <= _LONGEST else None
    if found is None:
        return None
    name, port = found["name"], int(found["port"]) if found["port"] else None
    if port is not None and not 0 < port < 65536:
        return None
    if name.startswith("["):
        try:
            name = f"[{ipaddress.IPv6Address(name[1:-1]).compressed}]"
        except ValueError:
            return None
    return HostName(name, port)


def known_hosts(names: Iterable[str]) -> frozenset[str]:
    """Return the accepted host names: those of the settings and this machine's loopback names.

    Raises:
        ValueError: a name is not a host name without a port.
    """
    known = set(LOOPBACK_HOSTS)
    for name in names:
        bracketed = f"[{name}]" if ":" in name and not name.startswith("[") else name
        host = parse_host(bracketed)
        if host is None or host.port is not None:
            raise ValueError(f"host {name!r}: expected a host name or address without a port, such as reserve.example")
        known.add(host.name)
    return frozenset(known)


def is_origin(origin: str, scheme: str, host: HostName) -> bool:
    """Return whether an Origin header (RFC 6454) names the scheme, host and port that a request was sent to."""
    given_scheme, separator, rest = origin.partition("://")
    given = parse_host(rest) if separator else None
    if given is None or given_scheme != scheme or given.name != host.name:
        return False
    default = _DEFAULT_PORTS.get(scheme)
    return (given.port or default) == (host.port or default)
