"""Ed25519 keys with which stations and servers sign: a file of 32 bytes that never leaves its machine."""

from pathlib import Path
from typing import TYPE_CHECKING

from contract.durable_file import durable_file
from contract.errors import WildpostError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_KEY_BYTES = 32


class SigningKeyError(WildpostError):
    """Raised when the file of a key cannot be used; the message names the file and the remedy."""


def open_key(path: Path) -> "Ed25519PrivateKey":
    """Read a key, or make a new one with mode 0600 if the file does not exist.

    Raises:
        SigningKeyError: the file has another length.
        OSError: the file cannot be read or written.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    if not path.exists():
        with durable_file(path) as file:
            file.write(Ed25519PrivateKey.generate().private_bytes_raw())
    return read_key(path)


def read_key(path: Path) -> "Ed25519PrivateKey":
    """Read a key.

    Raises:
        SigningKeyError: the file has another length.
        OSError: the file cannot be read.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    data = path.read_bytes()
    if len(data) != _KEY_BYTES:
        raise SigningKeyError(f"{path}: {len(data)} bytes, expected {_KEY_BYTES}; move it away to make a new key")
    return Ed25519PrivateKey.from_private_bytes(data)
