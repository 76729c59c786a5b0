"""What the server may tell a station, and the station's answers: a fixed list of kinds, each with its payload."""

from typing import Annotated, Literal, get_args

from msgspec import UNSET, Meta, Struct, UnsetType

from contract.bounds import Count, FileName, Moment, Name, Note, Schema, Sha256, Uuid
from contract.event_chain import PublicKey, Signature
from contract.messages import SCHEMA
from contract.topics import Channel

CommandKind = Literal["status", "media", "retry", "restart-capture", "settings"]
KINDS_OF_COMMANDS: tuple[CommandKind, ...] = get_args(CommandKind)
CHANGING: frozenset[CommandKind] = frozenset({"restart-capture", "settings"})  # wait for a known time on the station
MOST_ORIGINAL_BYTES = 64_000_000  # a minute of film; larger originals are fetched by stick or at the station
PART_BYTES = 128_000  # of an original, in one message: a minute at 17 kbit/s

AnswerState = Literal["accepted", "done", "refused", "failed", "gone", "rolled-back", "reported"]
FINAL_STATES: frozenset[AnswerState] = frozenset({"done", "refused", "failed", "gone", "rolled-back"})


class MediaRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Payload of the kind "media": an original that the station keeps, as its event names it."""

    event_id: Uuid
    sensor: Name
    sha256: Sha256
    size: Annotated[int, Meta(ge=1, le=MOST_ORIGINAL_BYTES)]
    name: FileName


class NoPayload(Struct, frozen=True, forbid_unknown_fields=True):
    """Payload of the kinds "status", "retry" and "restart-capture"."""


class Answer(Struct, frozen=True, gc=False, kw_only=True):
    """What became of an envelope; with serial 0, the settings in force without one.

    ``result`` is a JSON text: of "status" a report of the station, of "settings" the values in force of all settings
    that can be changed remotely. The signature is the last field, by the key of the station's event chain.
    """

    station: Name
    serial: Count
    nonce: Annotated[str, Meta(pattern=r"\A([0-9a-f]{32})?\Z", max_length=32)]  # of the envelope; "" with serial 0
    kind: CommandKind
    state: AnswerState
    at: Moment
    key: PublicKey
    schema: Schema = SCHEMA
    detail: Note = ""
    result: Annotated[str, Meta(max_length=8_000)] = ""
    signature: Signature | UnsetType = UNSET


class MediaPart(Struct, frozen=True, gc=False, kw_only=True):
    """Bytes of an original from ``offset`` on; the server puts the parts together and checks the hash of the whole."""

    event_id: Uuid
    station: Name
    sha256: Sha256  # of the whole
    size: Annotated[int, Meta(ge=1, le=MOST_ORIGINAL_BYTES)]  # of the whole
    offset: Count
    data: Annotated[bytes, Meta(min_length=1, max_length=PART_BYTES)]
    schema: Schema = SCHEMA

    def __post_init__(self) -> None:
        if self.offset % PART_BYTES or self.offset + len(self.data) > self.size:
            raise ValueError(f"{len(self.data)} bytes at {self.offset} of {self.size}: expected a part of it")


def channel_of(kind: str) -> Channel:
    """Return the channel of a kind of envelope; each has serials of its own."""
    return "settings" if kind == "settings" else "command"
