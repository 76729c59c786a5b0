"""Chain of a station's events: each names the hash of the one before, and is signed with a key of the station.

The signature is the last field of the JSON object. It covers the bytes before it, so that a receiver checks what came
and need not encode the event again, and the hash of an event is that of its whole payload.
"""

import base64
import binascii
import hashlib
from collections.abc import Callable
from typing import Annotated

from msgspec import Meta, Struct

from contract.bounds import COUNT, Sha256, Uuid

FIRST_PREVIOUS = "0" * 64  # of the first event of a chain
_TAIL = b',"signature":"'
_SIGNATURE_CHARACTERS = 88  # of 64 bytes in Base64
_END = b'"}'

PublicKey = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9+/]{43}=\Z", max_length=44)]
Signature = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9+/]{86}==\Z", max_length=88)]


class ChainLink(Struct, frozen=True, gc=False, kw_only=True):
    """Place of an event in the chain of its station."""

    chain: Uuid  # a new one begins with each new outbox
    number: Annotated[int, Meta(ge=1, le=COUNT)]
    previous: Sha256  # of the payload of the event before; zeros for the first
    key: PublicKey  # Ed25519 (RFC 8032), raw, in Base64


def payload_sha256(payload: bytes) -> str:
    """Return the hash by which the next event names this one."""
    return hashlib.sha256(payload).hexdigest()


def signed_payload(unsigned: bytes, sign: Callable[[bytes], bytes]) -> bytes:
    """Append the signature to an encoded event, which has a ``ChainLink`` and no signature yet."""
    signature = base64.b64encode(sign(unsigned))
    return unsigned[:-1] + _TAIL + signature + _END


def has_valid_signature(payload: bytes, key: str) -> bool:
    """Return whether the payload of an event ends with a signature by ``key`` of everything before it."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    start = len(payload) - len(_TAIL) - _SIGNATURE_CHARACTERS - len(_END)
    if start < 1 or not payload.startswith(_TAIL, start) or not payload.endswith(_END):
        return False
    try:
        signature = base64.b64decode(payload[start + len(_TAIL) : -len(_END)], validate=True)
        Ed25519PublicKey.from_public_bytes(base64.b64decode(key)).verify(signature, payload[:start] + b"}")
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True
