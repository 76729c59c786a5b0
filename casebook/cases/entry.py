"""Entries of a case: each is a step, a comment, a link or an access, names the hash of the one before, and stays.

An entry is stored as the JSON text of which its hash is made, so that an exported log can be checked line by line.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal, get_args

import msgspec
from msgspec import Meta

from contract.bounds import COUNT, Moment, OptionalText, Sha256, Text, Uuid
from contract.errors import InvalidInput

Step = Literal[
    "opened",
    "acknowledged",
    "assigned",
    "on_site",
    "finding",
    "evidence_registered",
    "evidence_decided",
    "decided",
    "served",
    "transfer_reported",
    "transfer_approved",
    "transfer_refused",
    "handed_over",
    "police_answered",
    "outcome",
    "closed",
    "reopened",
    "comment",
    "linked",
    "viewed",
    "exported",
]
CaseKind = Literal["hunting", "tools", "trade", "trespass", "habitat", "rescue", "other"]
Outcome = Literal["administrative", "criminal", "police", "rescued", "warned", "unfounded", "unknown_offender"]

STEPS: tuple[Step, ...] = get_args(Step)
KINDS: tuple[CaseKind, ...] = get_args(CaseKind)
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
ACCESS: tuple[Step, ...] = ("viewed", "exported")  # recorded in the custody log; they change nothing
NOTES: tuple[Step, ...] = (*ACCESS, "comment", "linked")  # possible at any time, also in a closed case
FIRST_PREVIOUS = "0" * 64  # of the first entry of a case
MOST_LINKS = 200  # events in one entry
MOST_ROWS = 50  # of tools, and of animals, in one finding
_ENCODED_LIMIT = 256_000  # of one entry: its texts and links at their longest have room

Amount = Annotated[int, Meta(ge=0, le=1_000_000)]
Remark = Annotated[str, Meta(max_length=4000)]
IncidentId = Annotated[str, Meta(min_length=1, max_length=64)]
CaseNumber = Annotated[str, Meta(pattern=r"\A[0-9]{4}-LA-[0-9]{4,9}\Z", max_length=17)]


class CaseRefused(InvalidInput):
    """The step cannot be recorded.

    Attributes:
        reason: Selects a translated sentence: "missing" (no such case), "first", "closed", "open", "outcome", "team",
            "finding", "text", "linked", "number", "unreadable" (an entry of the case), or "unknown" for a value out of
            its bounds.
    """

    def __init__(self, reason: str, message: str) -> None:
        """Store the reason and the message in English."""
        super().__init__(message)
        self.reason = reason


class SeizedItem(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Tools or other things of one kind that were seized."""

    name: Text
    count: Amount


class FoundAnimals(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Animals of one kind that were found, by their condition; released ones were alive."""

    name: Text
    alive: Amount = 0
    dead: Amount = 0
    released: Amount = 0


class Finding(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What was found on site; None: the number was not recorded."""

    tools: Annotated[tuple[SeizedItem, ...], Meta(max_length=MOST_ROWS)] = ()
    animals: Annotated[tuple[FoundAnimals, ...], Meta(max_length=MOST_ROWS)] = ()
    persons: Amount | None = None
    vehicles: Amount | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing was recorded."""
        return not self.tools and not self.animals and self.persons is None and self.vehicles is None


class LinkedEvent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A capture that belongs to the case, with the SHA-256 of its station's message."""

    event_id: Uuid
    sha256: Sha256


class Change(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a person adds to a case: the content of an entry.

    Attributes:
        step: What was done.
        text: Free text: what happened, or why.
        kind: Kind of the case, of its opening.
        area: Area of the case, of its opening.
        title: Title of the case, of its opening.
        team: Who is assigned.
        outcome: The outcome.
        finding: What was found.
        events: Captures that are linked from now on.
        incidents: Incidents that are linked from now on.
    """

    step: Step
    text: Remark = ""
    kind: CaseKind | None = None
    area: OptionalText = ""
    title: OptionalText = ""
    team: OptionalText = ""
    outcome: Outcome | None = None
    finding: Finding | None = None
    events: Annotated[tuple[LinkedEvent, ...], Meta(max_length=MOST_LINKS)] = ()
    incidents: Annotated[tuple[IncidentId, ...], Meta(max_length=MOST_LINKS)] = ()


class Entry(Change, frozen=True, kw_only=True, forbid_unknown_fields=False):
    """A recorded change, with its place in the chain of the case.

    Attributes:
        case: Number of the case.
        number: Place of the entry in the case, from 1.
        actor: Who did it.
        at: When, by the server's clock, UTC.
        previous: SHA-256 of the entry before; zeros for the first.
    """

    case: CaseNumber
    number: Annotated[int, Meta(ge=1, le=COUNT)]
    actor: Text
    at: Moment
    previous: Sha256


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Entry)


def new_entry(change: Change, case: str, number: int, actor: str, at: datetime, previous: str) -> Entry:
    """Return the entry that records a change.

    Raises:
        CaseRefused: a value is out of its bounds.
    """
    values = {name: getattr(change, name) for name in change.__struct_fields__}
    entry = Entry(**values, case=case, number=number, actor=actor, at=at, previous=previous)
    try:
        decode_entry(encode_entry(entry))
    except InvalidInput as error:
        raise CaseRefused("unknown", str(error)) from error
    return entry


def encode_entry(entry: Entry) -> bytes:
    """Encode an entry as the bytes of which its hash is made."""
    return _encoder.encode(entry)


def entry_sha256(encoded: bytes) -> str:
    """Return the hash by which the next entry names this one."""
    return hashlib.sha256(encoded).hexdigest()


def decode_entry(encoded: bytes) -> Entry:
    """Decode an entry.

    Raises:
        InvalidInput: it is not an entry.
    """
    if len(encoded) > _ENCODED_LIMIT:
        raise InvalidInput(f"{len(encoded)} bytes of an entry: expected at most {_ENCODED_LIMIT}")
    try:
        return _decoder.decode(encoded)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInput(f"not an entry of a case: {error}") from error


def check_change(change: Change, before: Sequence[Entry]) -> None:
    """Check that a change may follow the earlier entries of a case.

    Raises:
        CaseRefused: it may not.
    """
    if (change.step == "opened") != (not before):
        raise CaseRefused(
            "first", f"step {change.step!r}: expected 'opened' as the first step of a case, and only there"
        )
    if change.step == "opened" and change.kind is None:
        raise CaseRefused("unknown", "step 'opened' needs the kind of the case")
    if is_closed(before) and change.step not in (*NOTES, "reopened"):
        raise CaseRefused("closed", f"step {change.step!r}: the case is closed; reopen it first")
    if change.step == "reopened" and not is_closed(before):
        raise CaseRefused("open", "step 'reopened': the case is not closed")
    if change.step == "assigned" and not change.team.strip():
        raise CaseRefused("team", "step 'assigned' needs a team")
    if change.step == "finding" and (change.finding is None or change.finding.is_empty) and not change.text.strip():
        raise CaseRefused("finding", "step 'finding' needs what was found, or a text")
    if change.step == "comment" and not change.text.strip():
        raise CaseRefused("text", "a comment needs a text")
    if change.step == "outcome" and change.outcome is None:
        raise CaseRefused("outcome", f"step 'outcome' needs one of {', '.join(OUTCOMES)}")
    if change.step == "closed" and change.outcome is None and outcome_of(before) is None:
        raise CaseRefused("outcome", "step 'closed': a case is closed with an outcome only")


def chain_problem(encoded: Sequence[bytes], case: str) -> str:
    """Return what is wrong with the chain of a case's entries, given as they were stored; "" if it is whole."""
    previous = FIRST_PREVIOUS
    for number, one in enumerate(encoded, 1):
        try:
            entry = decode_entry(one)
        except InvalidInput as error:
            return f"entry {number} cannot be read: {error}"
        if entry.case != case:
            return f"entry {number} is of case {entry.case}"
        if entry.number != number:
            return f"entry {number} is missing: entry {entry.number} stands in its place"
        if entry.previous != previous:
            return f"entry {number} does not name the hash of the entry before it, which was altered or replaced"
        previous = entry_sha256(one)
    return ""


def is_closed(entries: Sequence[Entry]) -> bool:
    """Return whether the last closing was not followed by a reopening."""
    return next((one.step == "closed" for one in reversed(entries) if one.step in ("closed", "reopened")), False)


def outcome_of(entries: Sequence[Entry]) -> Outcome | None:
    """Return the outcome recorded last since the case was opened, or reopened; None: there is none."""
    for one in reversed(entries):
        if one.step == "reopened":
            return None
        if one.outcome is not None:
            return one.outcome
    return None
