"""How the review pages are set up, and where they may be reached from."""

import ipaddress
from typing import Annotated

import msgspec

from contract.errors import InvalidInput


class NotLoopback(InvalidInput):
    """The pages were told to listen where others could reach them; there is no sign-in yet."""


class ReviewOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the pages are told.

    Attributes:
        time_zone: In which times are shown and days are counted: a name of the IANA time zone database.
        language: Shown to whoever asks for none: zh_CN or en.
        page_size: Captures on one page of the queue.
        hosts: Names under which the pages answer, without port; anything else is refused, against DNS rebinding.
    """

    time_zone: str = "Asia/Shanghai"
    language: str = "zh_CN"
    page_size: Annotated[int, msgspec.Meta(ge=1, le=200)] = 24
    hosts: tuple[str, ...] = ("127.0.0.1", "localhost", "[::1]")


def check_bind(host: str) -> None:
    """Refuse an address that other machines could reach.

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
            f"{host}: expected 127.0.0.1, ::1 or localhost. The review pages have no sign-in yet, so whoever reaches "
            "them could see people's pictures and change verdicts; reach them from elsewhere through an SSH tunnel: "
            "ssh -L 8420:127.0.0.1:8420 SERVER"
        )
