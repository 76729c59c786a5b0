"""Settings of the review pages, and a check that the pages are served on a loopback address only."""

import ipaddress
from typing import Annotated

import msgspec

from contract.errors import InvalidInput
from review.security.host_names import known_hosts


class NotLoopback(InvalidInput):
    """Other machines can reach the address of the review pages, but the pages have no sign-in yet."""


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


def check_bind(host: str) -> None:
    """Check that the address of the review pages is a loopback address.

    Raises:
        NotLoopback: the address is not one of this machine's loopback addresses.
    """
    if host == "localhost":
        return
    try:
        loopback = ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise NotLoopback(
            f"{host}: expected 127.0.0.1, ::1 or localhost. The review pages have no sign-in yet: anyone who can "
            "connect could see people's pictures and change verdicts. From other machines, use an SSH tunnel: "
            "ssh -L 8420:127.0.0.1:8420 SERVER"
        )
