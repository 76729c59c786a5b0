"""Bounds on the originals that stations were asked for, whose parts are kept in the casebook's database."""

from collections.abc import Iterable

import msgspec

AWAITED_BYTES, ALL_AWAITED_BYTES = 640_000_000, 4_000_000_000  # of one station, and of all


class _Sized(msgspec.Struct):
    """The part of a ``MediaRequest`` that bounds what is stored."""

    size: int = 0


def size_of(payload: str) -> int:
    """Return the size of the original that the payload of a command asks for, in bytes."""
    return msgspec.json.decode(payload, type=_Sized).size


def room_problem(awaited: Iterable[tuple[str, str]], station: str, payload: str) -> str:
    """Return why no more originals are asked for; "" if there is room.

    Args:
        awaited: Station and payload of each command for an original that has not arrived.
        station: The station that is asked.
        payload: Payload of the command to it.
    """
    sizes = [(name, size_of(one)) for name, one in [*awaited, (station, payload)]]
    own, of_all = sum(size for name, size in sizes if name == station), sum(size for _, size in sizes)
    if own <= AWAITED_BYTES and of_all <= ALL_AWAITED_BYTES:
        return ""
    return (
        f"{station}: with this one, originals of {own / 1e6:.0f} MB would be on their way, and {of_all / 1e6:.0f} MB "
        f"of all stations: expected at most {AWAITED_BYTES / 1e6:.0f} and {ALL_AWAITED_BYTES / 1e6:.0f} MB; wait until "
        "some have arrived"
    )
