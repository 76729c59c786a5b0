"""Files of the keys that sign commands to stations: the root, which stays offline, and the server's signing key."""

import base64
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from contract.durable_file import durable_file
from contract.envelope import Certificate, EnvelopeRefused, certify, open_certificate, public_text
from contract.errors import InvalidInput
from contract.event_chain import PublicKey
from contract.private_files import make_private_folder

if TYPE_CHECKING:
    from ingest.remote.signer import Signer

ROOT, PUBLIC, SIGNING = "commands-root.key", "commands-root.pub", "commands-signing.json"


class CommandKeyError(InvalidInput):
    """Raised when the file of a key cannot be used; the message names the file and what was expected."""


class _SigningFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Content of ``SIGNING``: private key in Base64, its certificate, and the public key of the root."""

    key: str
    certificate: str
    root_key: str


def create_keys(folder: Path, days: int, passphrase: str = "") -> str:
    """Write a new root and a signing key that it certifies; return the public key of the root.

    Args:
        folder: Folder for the three files, which must not exist.
        days: Validity of the certificate.
        passphrase: Encrypts the root's private key; "": it is not encrypted.

    Raises:
        CommandKeyError: one of the files exists.
        OSError: they cannot be written.
    """
    make_private_folder(folder)
    for name in (ROOT, PUBLIC, SIGNING):
        if (folder / name).exists():
            raise CommandKeyError(
                f"{folder / name} exists: stations trust the root of this file; choose another folder"
            )
    root = Ed25519PrivateKey.generate()
    encryption = BestAvailableEncryption(passphrase.encode()) if passphrase else NoEncryption()
    _write(folder / ROOT, root.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption))
    public = public_text(root.public_key().public_bytes_raw())
    _write(folder / PUBLIC, f"{public}\n".encode())
    (folder / PUBLIC).chmod(0o644)
    certify_new_key(folder / ROOT, folder / SIGNING, days, passphrase)
    return public


def certify_new_key(root_file: Path, signing_file: Path, days: int, passphrase: str = "") -> Certificate:
    """Write a new signing key with a certificate that replaces all earlier ones at each station that receives it.

    The number of the certificate is the time in seconds since 1970: higher than all earlier ones without a list.

    Raises:
        CommandKeyError: the root's file cannot be used.
        OSError: the files cannot be read or written.
    """
    root = _read_root(root_file, passphrase)
    key, now = Ed25519PrivateKey.generate(), datetime.now(UTC)
    certificate = Certificate(
        number=int(now.timestamp()),
        key=public_text(key.public_key().public_bytes_raw()),
        issued=now,
        expires=now + timedelta(days=days),
    )
    content = _SigningFile(
        base64.b64encode(key.private_bytes_raw()).decode(),
        certify(root.sign, certificate),
        public_text(root.public_key().public_bytes_raw()),
    )
    _write(signing_file, msgspec.json.format(msgspec.json.encode(content)) + b"\n")
    return certificate


def read_signer(file: Path) -> "Signer":
    """Read a signing key with its certificate.

    Raises:
        CommandKeyError: the file cannot be used.
        OSError: it cannot be read.
    """
    from ingest.remote.signer import Signer  # a station reads its root key from here without the server's code

    try:
        content = msgspec.json.decode(file.read_bytes(), type=_SigningFile)
        key = Ed25519PrivateKey.from_private_bytes(base64.b64decode(content.key, validate=True))
        certificate = open_certificate(content.certificate, content.root_key)
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError, EnvelopeRefused) as error:
        raise CommandKeyError(f"{file}: {error}; expected {SIGNING} of `wildpost commands keygen`") from error
    if public_text(key.public_key().public_bytes_raw()) != certificate.key:
        raise CommandKeyError(f"{file}: the certificate is for another key: wildpost commands certify writes both")
    return Signer(key, content.certificate, certificate.expires)


def read_public(file: Path) -> PublicKey:
    """Read the public key of a root.

    Raises:
        CommandKeyError: the file is not one that `wildpost commands keygen` wrote.
        OSError: it cannot be read.
    """
    text = file.read_text(encoding="utf-8", errors="replace").strip()
    try:
        return msgspec.convert(text, PublicKey)
    except msgspec.ValidationError as error:
        raise CommandKeyError(f"{file}: {text[:60]!r}: expected a public key of 32 bytes in Base64") from error


def _read_root(file: Path, passphrase: str) -> Ed25519PrivateKey:
    try:
        key = load_pem_private_key(file.read_bytes(), passphrase.encode() if passphrase else None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise CommandKeyError(f"{file}: {error}: expected {ROOT}, and its passphrase if it has one") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise CommandKeyError(f"{file}: expected an Ed25519 key of `wildpost commands keygen`")
    return key


def _write(path: Path, data: bytes) -> None:
    with durable_file(path) as file:
        file.write(data)
