"""Folder of a Mosquitto broker whose stations each have a password and may publish only under their own names."""

import base64
import hashlib
import os
import re
import secrets
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from contract import topic_of
from contract.errors import InvalidInput
from wildpost.broker.certificates import Pair, hosts_of, make_authority, make_broker_certificate

INGEST, WATCH = "wildpost-ingest", "wildpost-watch"
INCLUDED = "included.conf"  # mosquitto.conf without _PERSISTENCE, to include in an existing configuration
_PERSISTENCE = "persistence_location /var/lib/mosquitto/\n"  # Mosquitto does not start if this is set twice
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")  # the same as for a station's name in messages
_ROUNDS = 20_000
_PASSWORD_BYTES = 24


class BrokerFolderError(InvalidInput):
    """The broker's files cannot be created or changed; the message says why."""


@dataclass(frozen=True, slots=True)
class BrokerFolder:
    """Folder of a Mosquitto broker's files, created by ``wildpost broker init``.

    Attributes:
        path: The folder.
        prefix: First levels of every topic.
        port: TLS port of the broker.
    """

    path: Path
    prefix: str = "wildpost"
    port: int = 8883

    def create(self, hosts: Sequence[str]) -> None:
        """Write the certificate authority, certificate, configuration and server accounts of a new broker.

        Raises:
            BrokerFolderError: the folder is not empty, or prefix or port is not valid.
        """
        try:
            topic_of(self.prefix, "station", "event")
        except ValueError as error:
            raise BrokerFolderError(str(error)) from error
        if not 0 < self.port < 65536:
            raise BrokerFolderError(f"port {self.port}: expected 1 to 65535")
        if self.path.exists() and any(self.path.iterdir()):
            raise BrokerFolderError(f"{self.path}: not empty; the keys of an existing broker are not replaced")
        self.path.mkdir(parents=True, exist_ok=True)
        self.path.chmod(0o755)
        authority = make_authority("Wildpost broker authority")
        self._write_pair("ca", authority)
        self._write_pair("broker", make_broker_certificate(authority, hosts))
        configuration = self._configuration()
        write_private(self.path / "mosquitto.conf", configuration, 0o644)
        write_private(self.path / INCLUDED, configuration.replace(_PERSISTENCE, ""), 0o644)
        self._write_users({})
        for user in (INGEST, WATCH):
            self.set_password(user)

    def set_password(self, name: str) -> Path:
        """Set a new password for a new or existing user of the broker.

        Returns:
            The folder to hand over to the user.

        Raises:
            BrokerFolderError: the name is not valid in a topic, or this is not a broker's folder.
        """
        if not _NAME.fullmatch(name):
            raise BrokerFolderError(f"station {name!r}: expected up to 63 letters, digits, - and _")
        users = self.users()
        password = secrets.token_urlsafe(_PASSWORD_BYTES)
        self._write_users({**users, name: hashed(password)})
        return self._write_handover(name, password)

    def remove(self, name: str) -> None:
        """Remove the password and access rights of a user of the broker.

        Raises:
            BrokerFolderError: there is no such user, or it is a user of the server.
        """
        users = self.users()
        if name not in users:
            raise BrokerFolderError(f"no user {name!r}: expected one of {', '.join(sorted(users)) or 'none'}")
        if name in (INGEST, WATCH):
            raise BrokerFolderError(f"{name} is a user of the server: rotate its password instead")
        self._write_users({user: stored for user, stored in users.items() if user != name})
        shutil.rmtree(self.path / "handover" / name, ignore_errors=True)

    def renew_certificate(self, hosts: Sequence[str]) -> None:
        """Replace the broker certificate by a new one from the same certificate authority.

        Stations trust the authority, so they need no new files.
        """
        authority = Pair((self.path / "ca.crt").read_bytes(), (self.path / "ca.key").read_bytes())
        self._write_pair("broker", make_broker_certificate(authority, hosts or hosts_of(self.path / "broker.crt")))

    def users(self) -> dict[str, str]:
        """Return the password hashes of the broker's users by user name.

        Raises:
            BrokerFolderError: this is not a broker's folder.
        """
        try:
            lines = (self.path / "passwords").read_text(encoding="utf-8").splitlines()
        except OSError as error:
            raise BrokerFolderError(f"{self.path}: no broker here; create one with wildpost broker init") from error
        return dict(line.split(":", 1) for line in lines if ":" in line)

    def _write_users(self, users: Mapping[str, str]) -> None:
        # A crash between the two writes leaves rights without a password, or the reverse: both are harmless.
        write_private(self.path / "rights", "\n".join(self._rights(user) for user in sorted(users)), 0o640)
        write_private(
            self.path / "passwords", "".join(f"{user}:{stored}\n" for user, stored in sorted(users.items())), 0o640
        )

    def _rights(self, user: str) -> str:
        if user == INGEST:
            written = [f"write {self.prefix}/alerts/#", f"write {self.prefix}/home/#", "readwrite homeassistant/#"]
            granted = [f"read {self.prefix}/#", *written]
        elif user == WATCH:
            granted = [f"read {self.prefix}/#", "read homeassistant/#"]
        else:
            granted = [f"write {self.prefix}/+/{user}/+", f"read {self.prefix}/+/{user}/command"]
        return f"user {user}\n" + "".join(f"topic {right}\n" for right in granted)

    def _write_handover(self, name: str, password: str) -> Path:
        folder = self.path / "handover" / name
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        host = hosts_of(self.path / "broker.crt")[0]
        write_private(
            folder / "broker.toml",
            f'[broker]\nhost = "{host}"\nport = {self.port}\nprefix = "{self.prefix}"\ntls = true\n'
            f'ca_file = "/etc/wildpost/ca.crt"   # path of the copied file on the station\nusername = "{name}"\n',
            0o600,
        )
        write_private(folder / "wildpost.env", f"WILDPOST_BROKER_PASSWORD={password}\n", 0o600)
        shutil.copyfile(self.path / "ca.crt", folder / "ca.crt")
        return folder

    def _write_pair(self, name: str, pair: Pair) -> None:
        write_private(self.path / f"{name}.key", pair.key.decode(), 0o600 if name == "ca" else 0o640)
        write_private(self.path / f"{name}.crt", pair.certificate.decode(), 0o644)

    def _configuration(self) -> str:
        folder = self.path.resolve()
        return (
            "# Created by `wildpost broker init`. Change users and rights with `wildpost broker`, then: kill -HUP.\n"
            f"# topics begin with {self.prefix}\n"
            f"listener {self.port}\n"
            f"certfile {folder}/broker.crt\nkeyfile {folder}/broker.key\ntls_version tlsv1.2\n"
            f"allow_anonymous false\npassword_file {folder}/passwords\nacl_file {folder}/rights\n"
            f"persistence true\n{_PERSISTENCE}autosave_interval 30\n"
            "# The queue holds all messages for a server that is offline for days.\n"
            "max_queued_messages 0\nmax_inflight_messages 1000\npersistent_client_expiration 60d\n"
        )


def hashed(password: str) -> str:
    """Return the PBKDF2-HMAC-SHA512 hash of a password in the format of mosquitto_passwd.

    The format is ``$7$rounds$salt$hash``, with salt and hash in base64.
    """
    salt = secrets.token_bytes(12)  # the only salt length that Mosquitto accepts
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, _ROUNDS)
    return f"$7${_ROUNDS}${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"


def write_private(path: Path, text: str, mode: int) -> None:
    """Write a text file atomically and create it with the permissions ``mode``.

    If root replaces an existing file, the file keeps its owner.
    """
    owner = path.stat() if path.exists() else None
    part = path.with_name(f".{path.name}.part")
    with open(part, "w", encoding="utf-8", opener=lambda name, flags: os.open(name, flags, mode)) as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    part.chmod(mode)
    if owner is not None and os.geteuid() == 0:
        os.chown(part, owner.st_uid, owner.st_gid)
    part.replace(path)
