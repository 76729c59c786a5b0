"""Encryption of backups in the age format (https://age-encryption.org/v1), which the `age` command can decrypt.

A server needs only the public key, so a stolen server cannot read its earlier backups.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from os import fdopen, pipe
from pathlib import Path
from typing import IO, Any

from contract.private_files import private_opener
from wildpost.backup.errors import BadArchive, KeyProblem

_MAGIC = (b"age-encryption.org/", b"-----BEGIN AGE ENCRYPTED FILE-----")
_IDENTITY_BYTES = 100_000  # largest identity file that is read; one identity has about 200


def generate_identity(path: Path, passphrase: str = "") -> str:
    """Write a new private key, the identity, to a file with mode 0600, and return its public key, the recipient.

    Args:
        path: The file to write, which must not exist.
        passphrase: If given, the file is encrypted with it; `age` then asks for it too.

    Raises:
        OSError: the file exists or cannot be written.
    """
    import pyrage

    identity = pyrage.x25519.Identity.generate()
    recipient = str(identity.to_public())
    content = f"# public key: {recipient}\n{identity}\n".encode()
    if passphrase:
        content = pyrage.passphrase.encrypt(content, passphrase)
    with open(path, "xb", opener=private_opener) as file:
        file.write(content)
    return recipient


def is_encrypted(path: Path) -> bool:
    """Return whether a file is encrypted in the age format.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        return file.read(max(map(len, _MAGIC))).startswith(_MAGIC)


@contextmanager
def encrypting(target: IO[bytes], recipients: Sequence[str]) -> Iterator[IO[bytes]]:
    """Yield a file; what is written to it is encrypted and written to ``target``.

    Memory use does not depend on the amount of data.

    Raises:
        KeyProblem: a recipient is not a public key.
        OSError: ``target`` cannot be written.
    """
    import pyrage

    keys = [_recipient(recipient) for recipient in recipients]
    target_errors = _RecordingErrors(target)
    reader, writer = pipe()

    def encrypt() -> None:
        with fdopen(reader, "rb") as source:
            pyrage.encrypt_io(source, target_errors, keys)

    worker = _Worker(encrypt)
    try:
        with fdopen(writer, "wb") as file:
            yield file
    except BrokenPipeError:
        worker.join()
        target_errors.reraise()
        worker.reraise()
        raise
    finally:
        worker.join()
    target_errors.reraise()
    worker.reraise()


@contextmanager
def decrypting(path: Path, identities: "Sequence[Any]") -> Iterator[IO[bytes]]:
    """Yield a file with the decrypted content of an encrypted file.

    Each part of the content is authenticated before it can be read. Reading to the end raises if the encrypted file is
    truncated or changed.

    Args:
        path: The encrypted file.
        identities: Private keys from ``read_identities``.

    Raises:
        KeyProblem: none of the identities fits.
        OSError: the file cannot be read.
    """
    import pyrage

    reader, writer = pipe()

    def decrypt() -> None:
        with fdopen(writer, "wb") as target, path.open("rb") as source:
            pyrage.decrypt_io(source, target, identities)

    worker = _Worker(decrypt)
    try:
        with fdopen(reader, "rb") as file:
            yield _Decrypted(file, worker, path)  # type: ignore[misc]
    finally:
        worker.join()


def read_identities(path: Path, ask_passphrase: Callable[[], str]) -> "Sequence[Any]":
    """Read the private keys in an identity file of `wildpost backup-keygen` or `age-keygen`.

    Args:
        path: The file.
        ask_passphrase: Called if the file is encrypted with a passphrase.

    Raises:
        KeyProblem: the file contains no identity, or the passphrase is wrong.
        OSError: the file cannot be read.
    """
    import pyrage

    with path.open("rb") as file:
        content = file.read(_IDENTITY_BYTES)
    if content.startswith(_MAGIC):
        try:
            content = pyrage.passphrase.decrypt(content, ask_passphrase())
        except pyrage.DecryptError as error:
            raise KeyProblem(f"{path}: cannot be decrypted: {error}; is the passphrase right?") from None
    lines = [line.strip() for line in content.decode("ascii", errors="replace").splitlines()]
    keys = [line for line in lines if line and not line.startswith("#")]
    try:
        identities = [pyrage.x25519.Identity.from_str(key) for key in keys]
    except pyrage.IdentityError:
        identities = []
    if not identities:  # the message does not repeat the content of the file
        raise KeyProblem(f"{path}: expected lines that begin with AGE-SECRET-KEY-1, as `wildpost backup-keygen` writes")
    return identities


def _recipient(recipient: str) -> Any:
    import pyrage

    try:
        return pyrage.x25519.Recipient.from_str(recipient)
    except pyrage.RecipientError as error:
        if recipient.upper().startswith("AGE-SECRET-KEY-"):
            raise KeyProblem(
                "a recipient is the public key (age1...); this is the private key, which stays secret"
            ) from None
        raise KeyProblem(f"recipient {recipient[:80]!r}: {error}; expected a public key such as age1...") from None


class _RecordingErrors:
    """File for writing that remembers the error of a failed write, since pyrage reports only its text."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._error: OSError | None = None

    def write(self, data: bytes) -> int:
        try:
            return self._file.write(data)
        except OSError as error:
            self._error = error
            raise

    def flush(self) -> None:
        self._file.flush()

    def reraise(self) -> None:
        if self._error is not None:
            raise self._error


class _Worker:
    """Thread that runs one function and remembers its exception."""

    def __init__(self, work: Callable[[], None]) -> None:
        self._work = work
        self.error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="backup encryption")
        self._thread.start()

    def join(self) -> None:
        self._thread.join()

    def reraise(self) -> None:
        if self.error is not None:
            raise self.error

    def _run(self) -> None:
        try:
            self._work()
        except Exception as error:  # noqa: BLE001, the caller's thread raises it
            self.error = error


class _Decrypted:
    """Decrypted content; ``read`` raises at the end if the encrypted file was damaged."""

    def __init__(self, file: IO[bytes], worker: _Worker, path: Path) -> None:
        self._file, self._worker, self._path = file, worker, path

    def read(self, size: int) -> bytes:
        data = self._file.read(size)
        if len(data) < size:
            self._worker.join()
            self._raise()
        return data

    def _raise(self) -> None:
        import pyrage

        error = self._worker.error
        if isinstance(error, pyrage.DecryptError) and "matching" in str(error):
            raise KeyProblem(f"{self._path}: encrypted for another key: none of the identities can decrypt it")
        if isinstance(error, pyrage.DecryptError) or (isinstance(error, OSError) and error.errno is None):
            raise BadArchive(f"{self._path}: truncated or damaged: {error}")
        if error is not None:
            raise error
