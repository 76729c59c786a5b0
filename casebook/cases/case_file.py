"""A case as a list shows it, and a capture as a case keeps it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Literal

from casebook.cases.entry import CaseKind, Entry, Outcome, Step
from contract import Event
from contract.errors import WildpostError
from contract.validation import decode_stored

NEVER = datetime(9000, 1, 1, tzinfo=UTC)  # sorts cases without a deadline last
State = Literal["open", "closed"]


class CaseConflict(WildpostError):
    """Somebody else has changed the case since the page was shown; nothing was recorded.

    Attributes:
        entries: Their entries, in the order of recording.
    """

    def __init__(self, entries: Sequence[Entry]) -> None:
        """Store the entries of others."""
        names = ", ".join(f"{one.step} by {one.actor}" for one in entries)
        super().__init__(f"somebody else has changed the case meanwhile: {names}")
        self.entries = tuple(entries)


@dataclass(frozen=True)
class HeldEvent:
    """A capture of a case as it came: what the detection store may forget.

    Attributes:
        payload: The station's message, byte for byte.
        deployment: The station's deployment record in JSON; b"": not known.
    """

    payload: bytes
    deployment: bytes = b""

    @cached_property
    def event(self) -> Event:
        """The decoded message.

        Raises:
            msgspec.MsgspecError: the payload is not an event.
        """
        return decode_stored(self.payload, Event)


@dataclass(frozen=True, slots=True)
class CaseFile:
    """What a list shows of a case.

    Attributes:
        number: Number of the case, such as 2026-LA-0007.
        kind: Kind of the case.
        area: Area of the case; "": not named.
        title: Title of the case.
        team: Who is assigned; "": nobody yet.
        step: The last step that is no note or access.
        outcome: The outcome; "": none yet.
        state: "open" or "closed".
        opened_at: When it was opened, UTC.
        changed_at: When the last entry that is no access was recorded, UTC.
        due_at: End of the running deadline that ends first, UTC; None: none runs.
        due_name: Name of that deadline; "": none runs.
        version: Number of the last entry that is no access; a form sends it back.
    """

    number: str
    kind: CaseKind
    area: str
    title: str
    team: str
    step: Step
    outcome: Outcome | Literal[""]
    state: State
    opened_at: datetime
    changed_at: datetime
    due_at: datetime | None
    due_name: str
    version: int

    @property
    def key(self) -> tuple[datetime, str]:
        """Pagination cursor in the list of open cases by deadline, or of closed ones by the last change."""
        return (self.due_at or NEVER) if self.state == "open" else self.changed_at, self.number


def case_of_row(row: Mapping[str, Any] | Any) -> CaseFile:
    """Convert a row of the table ``case_file``."""
    return CaseFile(**{name: row[name] for name in CaseFile.__slots__})
