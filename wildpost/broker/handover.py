"""Folders with the credentials that are handed over to a station or another user of the broker, and then erased."""

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from contract.durable_file import durable_file
from wildpost.broker.certificates import Pair

SECRETS = "wildpost.env"
_VARIABLE = "WILDPOST_BROKER_PASSWORD"


@dataclass(frozen=True, slots=True)
class HandoverContent:
    """Credentials of one user.

    Attributes:
        user: Name of the user.
        password: Password of the user.
        host: Host name or address of the broker.
        port: TLS port of the broker.
        prefix: First levels of every topic.
        client_certificate: Certificate for a listener that demands one; None: the listener demands none.
        commands_root: Public key of the root of commands to stations; "": there is none, or the user is no station.
    """

    user: str
    password: str
    host: str
    port: int
    prefix: str
    client_certificate: Pair | None = None
    commands_root: str = ""


class Handovers:
    """The folder ``handover`` of a broker's folder, with one folder for each user."""

    def __init__(self, folder: Path) -> None:
        """Store the path of the broker's folder."""
        self._folder = folder
        self._path = folder / "handover"

    def write(self, content: HandoverContent) -> Path:
        """Write the credentials of a user and return the folder."""
        folder = self._path / content.user
        folder.mkdir(parents=True, exist_ok=True)
        for private in (self._path, folder):
            private.chmod(0o700)
        lines = [
            "[broker]",
            f'host = "{content.host}"',
            f"port = {content.port}",
            f'prefix = "{content.prefix}"',
            "tls = true",
            'ca_file = "/etc/wildpost/ca.crt"   # path of the copied file on the station or server',
            f'username = "{content.user}"',
        ]
        if content.client_certificate is not None:
            lines += ['certificate_file = "/etc/wildpost/client.crt"', 'key_file = "/etc/wildpost/client.key"']
            write_private(folder / "client.crt", content.client_certificate.certificate.decode(), 0o600)
            write_private(folder / "client.key", content.client_certificate.key.decode(), 0o600)
        if content.commands_root:
            lines += ["", "[remote]", f'root_key = "{content.commands_root}"']
        write_private(folder / "broker.toml", "\n".join(lines) + "\n", 0o600)
        write_private(folder / SECRETS, f"{_VARIABLE}={content.password}\n", 0o600)
        shutil.copyfile(self._folder / "ca.crt", folder / "ca.crt")
        return folder

    def password(self, user: str) -> str | None:
        """Return the password of a user that was not erased yet; None if there is none."""
        try:
            return (self._path / user / SECRETS).read_text(encoding="utf-8").partition("=")[2].strip()
        except OSError:
            return None

    def users(self) -> Sequence[str]:
        """Return the users whose password is still in this folder."""
        return sorted(file.parent.name for file in self._path.glob(f"*/{SECRETS}"))

    def erase(self, user: str) -> bool:
        """Erase the credentials of a user; return False if there are none."""
        folder = self._path / user
        if not folder.is_dir():
            return False
        for file in folder.iterdir():
            erase_file(file)
        folder.rmdir()
        return True


def erase_file(path: Path) -> None:
    """Overwrite a file once and delete it; a flash card may keep an older copy of the block."""
    with path.open("r+b") as file:
        file.write(b"\0" * path.stat().st_size)
        file.flush()
        os.fsync(file.fileno())
    path.unlink()


def write_private(path: Path, text: str, mode: int) -> None:
    """Write a text file durably and give it the permissions ``mode``.

    If root replaces an existing file, the file keeps its owner.
    """
    owner = path.stat() if path.exists() else None
    with durable_file(path) as file:
        file.write(text.encode())
        os.fchmod(file.fileno(), mode)
        if owner is not None and os.geteuid() == 0:
            os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
