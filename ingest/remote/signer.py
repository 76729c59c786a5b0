"""Key with which the server signs what it tells stations, with the root's certificate of that key."""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from contract.commands import CommandKind
from contract.envelope import Envelope, payload_hash, seal

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


@dataclass(frozen=True, slots=True)
class Signer:
    """A signing key.

    Attributes:
        key: The private key.
        certificate: Text of its certificate.
        expires: End of the certificate's validity.
    """

    key: "Ed25519PrivateKey"
    certificate: str
    expires: datetime

    def seal(
        self, station: str, serial: int, nonce: str, kind: CommandKind, payload: str, now: datetime, expires: datetime
    ) -> bytes:
        """Return a sealed envelope that is valid from now on, until ``expires``."""
        envelope = Envelope(
            station=station,
            serial=serial,
            issued=now,
            expires=expires,
            nonce=nonce,
            kind=kind,
            payload=payload,
            payload_sha256=payload_hash(payload),
            certificate=self.certificate,
        )
        return seal(envelope, self.key.sign)
