"""The files of a Mosquitto broker in which every station has its own password and speaks for itself alone."""

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
from wildpost.broker.certificates import Pair, hosts_of, make_authority, make_broker

INGEST, WATCH = "wildpost-ingest", "wildpost-watch"
INCLUDED = "included.conf"  # the same as mosquitto.conf, for a broker that has settings of its own
_PLACE = "persistence_location /var/lib/mosquitto/\n"  # a Mosquitto that is told twice does not start
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")  # as a station's name in messages
_ROUNDS = 20_000
_PASSWORD_BYTES = 24


class BrokerFolderError(InvalidInput):
    """The broker's files cannot be made or changed; the message says why."""


@dataclass(frozen=True, slots=True)
class BrokerFolder:
    """A folder that ``wildpost broker init`` has made, or will make.

    Attributes:
        path: Where.
        prefix: First levels of every topic.
        port: Of the broker, with TLS.
    """

    path: Path
    prefix: str = "wildpost"
    port: int = 8883

    def make(self, hosts: Sequence[str]) -> None:
        """Write everything: authority, certificate, configuration, the server's own users.

        Raises:
            BrokerFolderError: there is something in the folder already, or prefix or port cannot be.
        """
        try:
            topic_of(self.prefix, "station", "event")
        except ValueError as error:
            raise BrokerFolderError(str(error)) from error
        if not 0 < self.port < 65536:
            raise BrokerFolderError(f"port {self.port}: expected 1 to 65535")
        if self.path.exists() and any(self.path.iterdir()):
            raise BrokerFolderError(f"{self.path}: not empty; a broker that is there keeps its keys")
        self.path.mkdir(parents=True, exist_ok=True)
        self.path.chmod(0o755)
        authority = make_authority("Wildpost broker authority")
        self._write_pair("ca", authority)
        self._write_pair("broker", make_broker(authority, hosts))
        whole = self._configuration()
        write_private(self.path / "mosquitto.conf", whole, 0o644)
        write_private(self.path / INCLUDED, whole.replace(_PLACE, ""), 0o644)
        self._write_users({})
        for user in (INGEST, WATCH):
            self.add(user)

    def add(self, name: str) -> Path:
        """Give a user a password, new or in place of the one it had; return the folder to hand over.

        Raises:
            BrokerFolderError: the name is none that a topic may hold, or this is no broker's folder.
        """
        if not _NAME.fullmatch(name):
            raise BrokerFolderError(f"station {name!r}: expected up to 63 letters, digits, - and _")
        users = self.users()
        password = secrets.token_urlsafe(_PASSWORD_BYTES)
        self._write_users({**users, name: hashed(password)})
        return self._hand_over(name, password)

    def remove(self, name: str) -> None:
        """Take a user's password and rights away.

        Raises:
            BrokerFolderError: there is no such user.
        """
        users = self.users()
        if name not in users:
            raise BrokerFolderError(f"no user {name!r}: expected one of {', '.join(sorted(users)) or 'none'}")
        if name in (INGEST, WATCH):
            raise BrokerFolderError(f"{name} is the server's own: rotate it instead")
        self._write_users({user: stored for user, stored in users.items() if user != name})
        shutil.rmtree(self.path / "handover" / name, ignore_errors=True)

    def renew(self, hosts: Sequence[str]) -> None:
        """Make a new certificate for the broker, signed by the same authority: stations need nothing new."""
        authority = Pair((self.path / "ca.crt").read_bytes(), (self.path / "ca.key").read_bytes())
        self._write_pair("broker", make_broker(authority, hosts or hosts_of(self.path / "broker.crt")))

    def users(self) -> dict[str, str]:
        """Read who may connect, with the hash of each password.

        Raises:
            BrokerFolderError: this is no broker's folder.
        """
        try:
            lines = (self.path / "passwords").read_text(encoding="utf-8").splitlines()
        except OSError as error:
            raise BrokerFolderError(f"{self.path}: no broker here; make one: wildpost broker init") from error
        return dict(line.split(":", 1) for line in lines if ":" in line)

    def _write_users(self, users: Mapping[str, str]) -> None:
        # The rights first: a password without rights harms nobody, rights without a password nobody can use.
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

    def _hand_over(self, name: str, password: str) -> Path:
        folder = self.path / "handover" / name
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        host = hosts_of(self.path / "broker.crt")[0]
        write_private(
            folder / "broker.toml",
            f'[broker]\nhost = "{host}"\nport = {self.port}\nprefix = "{self.prefix}"\ntls = true\n'
            f'ca_file = "/etc/wildpost/ca.crt"   # where you put the file beside this one\nusername = "{name}"\n',
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
            "# Made by `wildpost broker init`. Users and rights are changed by `wildpost broker`, then: kill -HUP.\n"
            f"# topics begin with {self.prefix}\n"
            f"listener {self.port}\n"
            f"certfile {folder}/broker.crt\nkeyfile {folder}/broker.key\ntls_version tlsv1.2\n"
            f"allow_anonymous false\npassword_file {folder}/passwords\nacl_file {folder}/rights\n"
            f"persistence true\n{_PLACE}autosave_interval 30\n"
            "# A server that is away for days must find every message when it comes back.\n"
            "max_queued_messages 0\nmax_inflight_messages 1000\npersistent_client_expiration 60d\n"
        )


def hashed(password: str) -> str:
    """Hash a password as mosquitto_passwd does: $7$rounds$salt$PBKDF2-HMAC-SHA512, both in base64."""
    salt = secrets.token_bytes(12)  # Mosquitto reads no other length
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, _ROUNDS)
    return f"$7${_ROUNDS}${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"


def write_private(path: Path, text: str, mode: int) -> None:
    """Write a file whole or not at all, never readable by more people than it should be; the owner stays."""
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
