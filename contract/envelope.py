"""Signed envelope of everything that the server tells a station, and the certificate of the key that signs it.

Both are JSON objects whose signature is the last field, as in ``contract.event_chain``: it covers the bytes before it,
so that a receiver checks what came and needs no canonical form. ``form`` is the first field of each, so that no signed
object can be taken for one of the other kind.

A station knows one public key, the root. The root's private key stays offline: it signs certificates of signing keys,
and a signing key, which the server has, signs envelopes. A certificate with a higher number replaces all with lower
ones, so that a stolen signing key is useless for a station as soon as the station has received the next one.
"""

import base64
import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated, Literal, TypeVar

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from contract.bounds import COUNT, Moment, Name, Sha256
from contract.errors import InvalidInput
from contract.event_chain import PublicKey, Signature, has_valid_signature, signed_payload
from contract.validation import time_problem

ENVELOPE_BYTES = 64_000  # of a whole envelope; a payload of settings has a few hundred
LONGEST = timedelta(days=90)  # from issued to expires: as long as a station may be without a network
CERTIFICATE_LONGEST = timedelta(days=10 * 366)
_PAYLOAD_CHARACTERS = 8_000
_CERTIFICATE_CHARACTERS = 1_000

Sign = Callable[[bytes], bytes]
Reason = Literal["form", "root", "signature", "hash"]
Signed = TypeVar("Signed", bound=Struct)
Serial = Annotated[int, Meta(ge=1, le=COUNT)]
Nonce = Annotated[str, Meta(pattern=r"\A[0-9a-f]{32}\Z", max_length=32)]
Kind = Annotated[str, Meta(pattern=r"\A[a-z][a-z-]{0,30}\Z", max_length=31)]


class EnvelopeRefused(InvalidInput):
    """Raised when an envelope or certificate is not authentic; the message says why.

    Attributes:
        reason: One word: form (not readable), root (the root did not sign the certificate), signature or hash.
    """

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason


class Certificate(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="form", tag="signing-key-1"):
    """Statement of the root that a key may sign envelopes."""

    number: Serial  # a higher number replaces all lower ones
    key: PublicKey
    issued: Moment
    expires: Moment
    signature: Signature | UnsetType = UNSET  # by the root; always the last field

    def __post_init__(self) -> None:
        _check_period(self.issued, self.expires, CERTIFICATE_LONGEST)


class Envelope(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="form", tag="envelope-1"):
    """Something that the server tells one station, once.

    ``serial`` counts up for each station, for commands and for settings apart. ``nonce`` is the id under which the
    server keeps it. ``payload`` is a JSON text whose content depends on ``kind``.
    """

    station: Name
    serial: Serial
    issued: Moment
    expires: Moment
    nonce: Nonce
    kind: Kind
    payload: Annotated[str, Meta(max_length=_PAYLOAD_CHARACTERS)]
    payload_sha256: Sha256
    certificate: Annotated[str, Meta(max_length=_CERTIFICATE_CHARACTERS)]
    signature: Signature | UnsetType = UNSET  # by the key of the certificate; always the last field

    def __post_init__(self) -> None:
        _check_period(self.issued, self.expires, LONGEST)


def certify(root: Sign, certificate: Certificate) -> str:
    """Return the text of a certificate with the signature of the root."""
    return signed_payload(msgspec.json.encode(certificate), root).decode()


def open_certificate(text: str, root_key: str) -> Certificate:
    """Check a certificate against the public key of the root, and return it.

    Raises:
        EnvelopeRefused: it is not readable, or the root did not sign it.
    """
    certificate = _decoded(text.encode(), Certificate)
    if not has_valid_signature(text.encode(), root_key):
        raise EnvelopeRefused("root", f"certificate {certificate.number} is not signed by the root {root_key}")
    return certificate


def seal(envelope: Envelope, sign: Sign) -> bytes:
    """Return the bytes of an envelope with the signature of the key that its certificate names."""
    return signed_payload(msgspec.json.encode(envelope), sign)


def payload_hash(payload: str) -> str:
    """Return the hash of a payload for ``Envelope.payload_sha256``."""
    return hashlib.sha256(payload.encode()).hexdigest()


def open_envelope(data: bytes, root_key: str) -> tuple[Envelope, Certificate]:
    """Check the signatures and the hash of an envelope, and return it with the certificate of its key.

    Station, serial, certificate number, times and kind are for the receiver to check; see ``edge.remote.acceptance``.

    Raises:
        EnvelopeRefused: it is not readable, too large, or not authentic.
    """
    if len(data) > ENVELOPE_BYTES:
        raise EnvelopeRefused("form", f"{len(data)} bytes: expected at most {ENVELOPE_BYTES}")
    envelope = _decoded(data, Envelope)
    certificate = open_certificate(envelope.certificate, root_key)
    if not has_valid_signature(data, certificate.key):
        raise EnvelopeRefused("signature", f"envelope {envelope.serial} is not signed by the key of its certificate")
    if payload_hash(envelope.payload) != envelope.payload_sha256:
        raise EnvelopeRefused("hash", f"the payload of envelope {envelope.serial} does not match its sha256")
    return envelope, certificate


def public_text(raw: bytes) -> PublicKey:
    """Return a raw public key as text, as in settings and certificates."""
    return base64.b64encode(raw).decode()


def _decoded(data: bytes, kind: type[Signed]) -> Signed:
    try:
        decoded = msgspec.json.decode(data, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise EnvelopeRefused("form", f"{kind.__name__.lower()}: {error}") from error
    if problem := time_problem(decoded):
        raise EnvelopeRefused("form", f"{kind.__name__.lower()}: {problem}")
    return decoded


def _check_period(issued: datetime, expires: datetime, longest: timedelta) -> None:
    if not timedelta(0) < expires - issued <= longest:
        raise ValueError(
            f"issued {issued.isoformat()}, expires {expires.isoformat()}: expected a later time, "
            f"by at most {longest.days} days"
        )
