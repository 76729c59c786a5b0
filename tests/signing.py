"""Keys of the tests, and envelopes sealed with them."""

from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from contract.envelope import Certificate, Envelope, certify, payload_hash, public_text, seal

ROOT = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
SIGNER = Ed25519PrivateKey.from_private_bytes(bytes(range(32, 64)))
ROOT_KEY = public_text(ROOT.public_key().public_bytes_raw())


def certificate_text(root: Ed25519PrivateKey = ROOT, number: int = 1, expires: datetime | None = None) -> str:
    """The root's certificate of the tests' signing key."""
    issued = datetime(2026, 1, 1, tzinfo=UTC)
    key = public_text(SIGNER.public_key().public_bytes_raw())
    until = expires or issued + timedelta(days=3650)
    return certify(root.sign, Certificate(number=number, key=key, issued=issued, expires=until))


def sealed(
    *,
    serial: int = 1,
    station: str = "lake-07",
    kind: str = "status",
    payload: str = "{}",
    nonce: str = "0" * 32,
    issued: datetime = datetime(2026, 5, 1, tzinfo=UTC),
    expires: datetime | None = None,
    root: Ed25519PrivateKey = ROOT,
    signer: Ed25519PrivateKey = SIGNER,
    certificate_number: int = 1,
    certificate_expires: datetime | None = None,
    **more: Any,
) -> bytes:
    """An envelope for a station, valid for 30 days unless something else is asked for."""
    envelope = Envelope(
        station=station,
        serial=serial,
        issued=issued,
        expires=expires or issued + timedelta(days=30),
        nonce=nonce,
        kind=kind,
        payload=payload,
        payload_sha256=payload_hash(payload),
        certificate=certificate_text(root, certificate_number, certificate_expires),
        **more,
    )
    return seal(envelope, signer.sign)
