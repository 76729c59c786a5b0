"""Decides whether an envelope may be acted on: for this station, newer than all before, in time, of a known kind."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import msgspec

from contract.commands import CHANGING, KINDS_OF_COMMANDS, channel_of
from contract.envelope import Certificate, Envelope, EnvelopeRefused, open_envelope
from contract.errors import InvalidInput
from contract.topics import Channel
from edge.clocks import Reading

_MEMORY = "remote"  # name in the outbox's memory
_EARLIEST = datetime(1, 1, 2, tzinfo=UTC)
CLOCK_TOLERANCE = timedelta(minutes=10)  # by which the server's clock may be ahead of this machine's


class Ignored(InvalidInput):
    """An envelope that is not authentic, not for this station, or older than one before: no answer is sent."""


class Repeated(Exception):
    """The newest envelope came again: its answer may not have arrived."""


class Deferred(Exception):
    """The envelope can only be judged when the date is known; it is looked at again later."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """An authentic, new envelope for this station.

    Attributes:
        envelope: What the server said.
        refusal: Why it is not acted on; "": it is.
        memory: What to commit to the outbox's memory together with the answer; from then on it is not accepted again.
    """

    envelope: Envelope
    refusal: str
    memory: Mapping[str, str]


class _Highest(msgspec.Struct, frozen=True):
    """The highest numbers that were accepted: of certificates, of serials by channel, and the latest time of issue."""

    certificate: int = 0
    issued: datetime = _EARLIEST
    serials: dict[str, tuple[int, str]] = {}  # serial and SHA-256 of the envelope, by channel


class Acceptance:
    """Checks envelopes against the highest serial and certificate in the outbox's memory, which outlives a SIGKILL."""

    def __init__(self, station: str, root_key: str, remembered: Callable[[str], str | None]) -> None:
        """Read nothing yet.

        Args:
            station: Name of this station.
            root_key: Public key of the root, in Base64.
            remembered: Returns what was last committed to the outbox's memory under a name.
        """
        self._station, self._root_key, self._remembered = station, root_key, remembered

    def check(self, channel: Channel, data: bytes, clock: Reading) -> Accepted:
        """Check an envelope that arrived on the topic of a channel.

        Without a known date, an envelope that changes something is deferred. One that only asks is accepted: its serial
        keeps it from being repeated. A time before which it cannot be is known in any case, the latest time of issue.

        Raises:
            Ignored: it is not authentic, not for this station and channel, or older than one before.
            Repeated: it is the newest that was accepted.
            Deferred: the date is needed and not known.
        """
        highest = self._highest()
        try:
            envelope, certificate = open_envelope(data, self._root_key)
        except EnvelopeRefused as error:
            raise Ignored(str(error)) from error
        self._check_addressee(envelope, channel)
        serial, digest = highest.serials.get(channel, (0, ""))
        own_digest = hashlib.sha256(data).hexdigest()
        if envelope.serial <= serial:
            if own_digest == digest:
                raise Repeated(f"envelope {envelope.serial}")
            raise Ignored(f"serial {envelope.serial} on {channel}: expected more than {serial}")
        if certificate.number < highest.certificate:
            raise Ignored(f"certificate {certificate.number} was replaced by certificate {highest.certificate}")
        if not clock.known and envelope.kind in CHANGING:
            raise Deferred(f"{envelope.kind} {envelope.serial}: the date is not known")
        new = _Highest(
            max(highest.certificate, certificate.number),
            max(highest.issued, envelope.issued),
            {**highest.serials, channel: (envelope.serial, own_digest)},
        )
        refusal = _refusal(envelope, certificate, highest, clock)
        return Accepted(envelope, refusal, {_MEMORY: msgspec.json.encode(new).decode()})

    def _check_addressee(self, envelope: Envelope, channel: Channel) -> None:
        if envelope.station != self._station:
            raise Ignored(f"an envelope for station {envelope.station!r} came to {self._station!r}")
        if channel_of(envelope.kind) != channel:
            raise Ignored(f"an envelope of kind {envelope.kind!r} came on the topic {channel!r}")

    def _highest(self) -> _Highest:
        text = self._remembered(_MEMORY)
        return msgspec.json.decode(text, type=_Highest) if text else _Highest()


def _refusal(envelope: Envelope, certificate: Certificate, highest: _Highest, clock: Reading) -> str:
    """Return why an authentic envelope is not acted on; "" if it is."""
    now = max(highest.issued, clock.wall) if clock.known else highest.issued  # at least
    if now > min(envelope.expires, certificate.expires):
        expired = "the envelope" if envelope.expires <= certificate.expires else "the certificate of its key"
        return f"expired: {expired} was valid until {min(envelope.expires, certificate.expires).isoformat()}"
    if clock.known and envelope.issued > clock.wall + CLOCK_TOLERANCE:
        return f"issued at {envelope.issued.isoformat()}, which this station's clock has not reached"
    if envelope.kind not in KINDS_OF_COMMANDS:
        return f"kind {envelope.kind!r}: expected one of {', '.join(KINDS_OF_COMMANDS)}"
    return ""
