"""Roles, and the person or program that acts: recorded with decisions and in the audit log."""

from dataclasses import dataclass
from typing import Literal, get_args

Role = Literal["administrator", "manager", "ranger", "technician", "analyst", "police_guest"]
ROLES: tuple[Role, ...] = get_args(Role)


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, and what they may see.

    Attributes:
        id: Id of the account; "" for somebody without an account, such as a reader of the demo.
        name: Name that decisions and the audit log show.
        unit: Organisation of the person.
        roles: Roles of the account.
        stations: Stations that the person may see and decide on; None: all.
        address: Network address of the request; "" for a command.
    """

    id: str
    name: str
    unit: str = ""
    roles: frozenset[Role] = frozenset()
    stations: frozenset[str] | None = frozenset()
    address: str = ""
