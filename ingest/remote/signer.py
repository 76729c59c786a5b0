"""Key with which the server signs what it tells stations, with the root's certificate of that key."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from contract.commands import CommandKind
from contract.envelope import Envelope, payload_hash, seal


@dataclass(frozen=True, slots=True)
class Signer:
    """A signing key.

    Attributes:
        key: The private key.
        certificate: Text of its certificate.
        expires: End of the certificate's validity.
    """

    key: Ed25519PrivateKey
    certificate: str
    expires: datetime

    def seal(
        self, station: str, serial: int, nonce: str, kind: CommandKind, payload: str, now: datetime, lasts: timedelta
    ) -> bytes:
        """Return a sealed envelope that is valid from now on."""
        envelope = Envelope(
            station=station,
            serial=serial,
            issued=now,
            expires=now + lasts,
            nonce=nonce,
            kind=kind,
            payload=payload,
            payload_sha256=payload_hash(payload),
            certificate=self.certificate,
        )
        return seal(envelope, self.key.sign)


def new_nonce() -> str:
    """Return a random id for an envelope."""
    return secrets.token_hex(16)
