"""Signature of a pack by the server's key, which is made at the first export."""

import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING

from contract.errors import InvalidInput
from contract.signing_key import read_key

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

KEY_FILE = "evidence.key"  # in the data folder
_FINGERPRINT = re.compile(r"[0-9a-f]{64}")


def fingerprint(key: "Ed25519PublicKey") -> str:
    """Return the SHA-256 of a public key's 32 bytes, by which people compare keys."""
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()


def public_pem(key: "Ed25519PublicKey") -> bytes:
    """Return a public key in PEM (RFC 8410), as OpenSSL reads it."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def read_pem(data: bytes) -> "Ed25519PublicKey | None":
    """Return the Ed25519 public key of a PEM file; None if it has none."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(data)
    except (ValueError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, Ed25519PublicKey) else None


def is_signed_by(key: "Ed25519PublicKey", signature: bytes, data: bytes) -> bool:
    """Return whether data was signed with the key."""
    from cryptography.exceptions import InvalidSignature

    try:
        key.verify(signature, data)
    except InvalidSignature:
        return False
    return True


def named_fingerprint(text: str) -> str:
    """Return the fingerprint that a person gave: 64 hexadecimal digits, or the path of a PEM file.

    Raises:
        InvalidInput: it is neither.
        OSError: the file cannot be read.
    """
    given = text.replace(" ", "").replace(":", "").lower()
    if _FINGERPRINT.fullmatch(given):
        return given
    path = Path(text)
    key = read_pem(path.read_bytes()) if path.is_file() else None
    if key is None:
        raise InvalidInput(f"key {text!r}: expected a SHA-256 of 64 hexadecimal digits, or a PEM file of Ed25519")
    return fingerprint(key)


def own_fingerprint(data_folder: Path) -> str | None:
    """Return the fingerprint of the server's key in a data folder; None if it has none.

    Raises:
        SigningKeyError: the file is no key.
    """
    path = data_folder / KEY_FILE
    return fingerprint(read_key(path).public_key()) if path.is_file() else None


def signed(key: "Ed25519PrivateKey", data: bytes) -> bytes:
    """Return the signature of data: 64 bytes, as OpenSSL verifies it with ``-rawin``."""
    return key.sign(data)
