"""Settings of the review pages, and whether an address can be reached from other machines."""

import ipaddress
from typing import Annotated

import msgspec

from review.security.host_names import known_hosts


class ReviewOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of the review pages.

    Attributes:
        time_zone: Time zone of displayed times and of days in counts: a name of the IANA time zone database.
        language: Default language, zh_CN or en, if neither URL, cookie nor browser names one.
        page_size: Captures on one page of the queue.
        hosts: Accepted Host headers beside the loopback names, without port; requests under other names are refused,
            against DNS rebinding.
    """

    time_zone: str = "Asia/Shanghai"
    language: str = "zh_CN"
    page_size: Annotated[int, msgspec.Meta(ge=1, le=200)] = 24
    hosts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        known_hosts(self.hosts)


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach an address on which the pages listen."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
