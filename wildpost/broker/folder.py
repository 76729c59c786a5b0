"""Folder of a Mosquitto broker whose stations each have a password and may publish only under their own names."""

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from contract import topic_of
from contract.server_users import ACCOUNT, ADMIN, SERVER_USERS, derived_password
from wildpost.broker.certificates import (
    Pair,
    hosts_of,
    make_authority,
    make_broker_certificate,
    make_client_certificate,
)
from wildpost.broker.configuration import PERSISTENCE, Listeners, configuration
from wildpost.broker.dynamic_security import FILE, PasswordHash, file_text, hashed, read_password_file, read_users
from wildpost.broker.handover import HandoverContent, Handovers, erase_file, write_private
from wildpost.broker.rights import CONSUMERS, NOT_STATIONS, BrokerFolderError, check_station_name

if TYPE_CHECKING:
    from contract.mqtt.broker_control import ControlAddress

CONFIGURATION, INCLUDED = "mosquitto.conf", "included.conf"  # the second to include in an existing configuration
ADMIN_PASSWORD = "admin.password"  # noqa: S105, the name of its file
_OLD_FILES = ("passwords", "rights")  # of folders that earlier versions made
_PASSWORD_BYTES = 24
_LOCAL = ("localhost", "127.0.0.1")
_ANY_ADDRESS = ("0.0.0.0", "::")  # noqa: S104, compared and not listened on


@dataclass(frozen=True, slots=True)
class BrokerFolder:
    """Folder of a Mosquitto broker's files, created by ``wildpost broker init``.

    Attributes:
        path: The folder.
        prefix: First levels of every topic.
        listeners: Ports and addresses of the broker.
    """

    path: Path
    prefix: str = "wildpost"
    listeners: Listeners = field(default_factory=Listeners)

    @classmethod
    def open(cls, path: Path) -> "BrokerFolder":
        """Open the folder of an existing broker; its mosquitto.conf names the ports and the topic prefix.

        Raises:
            BrokerFolderError: this is not a broker's folder.
        """
        try:
            text = (path / CONFIGURATION).read_text(encoding="utf-8")
        except OSError as error:
            raise BrokerFolderError(f"{path}: no broker here; create one with wildpost broker init") from error
        prefix = re.search(r"^# topics begin with (.+)$", text, re.M)
        found = re.findall(r"^listener (\d+)(?: (\S+))?$", text, re.M)
        if prefix is None or not found:
            raise BrokerFolderError(f"{path / CONFIGURATION}: expected the file that wildpost broker init wrote")
        port = int(found[0][0])
        if len(found) == 1:
            return cls(path, prefix[1], Listeners(port, neighbour_port(port)))
        return cls(path, prefix[1], Listeners(port, int(found[1][0]), found[1][1] or Listeners().server_host))

    @property
    def handovers(self) -> Handovers:
        """Credentials that were created and not yet erased."""
        return Handovers(self.path)

    @property
    def control_address(self) -> "ControlAddress":
        """Address of the running broker for changes of its users."""
        from contract.mqtt.broker_control import ControlAddress

        local = self.listeners.server_is_local
        port = self.listeners.server_port if local else self.listeners.port
        return ControlAddress(port, self.path / "ca.crt", self.path / ADMIN_PASSWORD, sets_client_id=local)

    def create(self, hosts: Sequence[str]) -> None:
        """Write the certificate authority, certificate, configuration and the users of a new broker.

        Raises:
            BrokerFolderError: the folder is not empty, or prefix or port is not valid.
        """
        self._check()
        if self.path.exists() and any(self.path.iterdir()):
            raise BrokerFolderError(f"{self.path}: not empty; the keys of an existing broker are not replaced")
        self.path.mkdir(parents=True, exist_ok=True)
        self.path.chmod(0o755)
        authority = make_authority("Wildpost broker authority")
        self._write_pair("ca", authority)
        self._write_pair("broker", make_broker_certificate(authority, _with_local(hosts)))
        self._write_configuration()
        self._write_users(self._new_server_users({}))

    def upgrade(self) -> bool:
        """Bring a folder of an earlier version up to date; stations keep their passwords.

        Returns:
            Whether the server has a new password, since its old one was not in the folder any more.

        Raises:
            BrokerFolderError: this is not a broker's folder, or port is not valid.
        """
        self._check()
        users = self._stored_users()
        password = self.handovers.password(ACCOUNT)
        known = password is not None and ACCOUNT in users and users[ACCOUNT].matches(password)
        keeps = known or (ACCOUNT in users and all(user in users for user in SERVER_USERS))
        if known and password is not None:
            users |= self._account_users(password, users[ACCOUNT])
            self._write_handover(ACCOUNT, password)
        elif not keeps:
            users = {user: stored for user, stored in users.items() if user != ACCOUNT}
        self.renew_certificate(())
        self._write_users(self._new_server_users(users))
        self._write_configuration()
        for name in _OLD_FILES:
            if (self.path / name).exists():
                erase_file(self.path / name)
        return not keeps

    def add_station(self, name: str) -> tuple[str, Path]:
        """Create a password and rights for a station.

        Returns:
            The password, and the folder to hand over.

        Raises:
            BrokerFolderError: the name is not valid, reserved or in use, or this is not a broker's folder.
        """
        check_station_name(name, self.users())
        return self._set_password(name)

    def rotate(self, name: str) -> tuple[str, Path]:
        """Replace the password of a station or another user.

        Returns:
            The password, and the folder to hand over.

        Raises:
            BrokerFolderError: there is no such user, or its password is not handed over.
        """
        if name not in self.users():
            raise BrokerFolderError(f"no user {name!r}: expected one of {', '.join(sorted(self.users()))}")
        if name in SERVER_USERS:
            raise BrokerFolderError(f"{name} has its password from {ACCOUNT}: rotate {ACCOUNT}")
        if name == ADMIN:
            raise BrokerFolderError(f"{name}: delete {self.path / ADMIN_PASSWORD}, then run wildpost broker upgrade")
        return self._set_password(name)

    def remove(self, name: str) -> None:
        """Remove the password and access rights of a user of the broker.

        Raises:
            BrokerFolderError: there is no such user, or it is a user of the server.
        """
        users = self.users()
        if name not in users:
            raise BrokerFolderError(f"no user {name!r}: expected one of {', '.join(sorted(users)) or 'none'}")
        if name in NOT_STATIONS:
            raise BrokerFolderError(f"{name} is a user of the server: rotate its password instead")
        self._write_users({user: stored for user, stored in users.items() if user != name})
        self.handovers.erase(name)

    def passwords_for(self, user: str, password: str) -> Mapping[str, str]:
        """Return the passwords of all users that change with one user's password, by user name."""
        derived = SERVER_USERS if user == ACCOUNT else ()
        return {user: password, **{part: derived_password(password, part) for part in derived}}

    def renew_certificate(self, hosts: Sequence[str]) -> None:
        """Replace the broker certificate by a new one from the same certificate authority.

        Stations trust the authority, so they need no new files.
        """
        names = _with_local(hosts or hosts_of(self.path / "broker.crt"))
        self._write_pair("broker", make_broker_certificate(self._authority(), names))

    def users(self) -> dict[str, PasswordHash]:
        """Return the password hashes of the broker's users by user name.

        Raises:
            BrokerFolderError: this is not a broker's folder, or one of an earlier version.
        """
        if not (self.path / FILE).exists() and (self.path / _OLD_FILES[0]).exists():
            raise BrokerFolderError(f"{self.path}: made by an earlier version; run wildpost broker upgrade first")
        return read_users(self.path / FILE)

    @property
    def is_current(self) -> bool:
        """Whether this version would write the same configuration."""
        written = (self.path / CONFIGURATION).read_text(encoding="utf-8")
        return written == self._configuration() and (self.path / FILE).exists()

    def _check(self) -> None:
        try:
            topic_of(self.prefix, "station", "event")
        except ValueError as error:
            raise BrokerFolderError(str(error)) from error
        self.listeners.check()

    def _stored_users(self) -> dict[str, PasswordHash]:
        if (self.path / FILE).exists():
            return read_users(self.path / FILE)
        return read_password_file(self.path / _OLD_FILES[0])

    def _new_server_users(self, users: Mapping[str, PasswordHash]) -> dict[str, PasswordHash]:
        """Return the users with those users of the server and its consumers that are missing."""
        created = dict(users)
        if not (self.path / ADMIN_PASSWORD).exists():
            password = secrets.token_urlsafe(_PASSWORD_BYTES)
            write_private(self.path / ADMIN_PASSWORD, password + "\n", 0o600)
            created[ADMIN] = hashed(password)
        if ACCOUNT not in created:
            password = secrets.token_urlsafe(_PASSWORD_BYTES)
            created |= self._account_users(password, hashed(password))
            self._write_handover(ACCOUNT, password)
        for user in CONSUMERS:
            if user not in created:
                password = secrets.token_urlsafe(_PASSWORD_BYTES)
                created[user] = hashed(password)
                self._write_handover(user, password)
        return created

    def _account_users(self, password: str, account: PasswordHash) -> dict[str, PasswordHash]:
        return {ACCOUNT: account, **{user: hashed(derived_password(password, user)) for user in SERVER_USERS}}

    def _set_password(self, name: str) -> tuple[str, Path]:
        password = secrets.token_urlsafe(_PASSWORD_BYTES)
        new = {user: hashed(one) for user, one in self.passwords_for(name, password).items()}
        self._write_users({**self.users(), **new})
        return password, self._write_handover(name, password)

    def _write_users(self, users: Mapping[str, PasswordHash]) -> None:
        write_private(self.path / FILE, file_text(users, self.prefix), 0o600)

    def _write_handover(self, name: str, password: str) -> Path:
        listeners = self.listeners
        host, port = hosts_of(self.path / "broker.crt")[0], listeners.port
        certificate = None
        if name == ACCOUNT:
            port = listeners.server_port
            host = host if listeners.server_host in _ANY_ADDRESS else listeners.server_host
            if not listeners.server_is_local:
                certificate = make_client_certificate(self._authority(), name)
        from wildpost.command_keys import PUBLIC, read_public  # needs cryptography, which not every command has

        public = self.path / PUBLIC
        root = read_public(public) if public.exists() and name not in NOT_STATIONS else ""
        return self.handovers.write(HandoverContent(name, password, host, port, self.prefix, certificate, root))

    def _authority(self) -> Pair:
        return Pair((self.path / "ca.crt").read_bytes(), (self.path / "ca.key").read_bytes())

    def _write_pair(self, name: str, pair: Pair) -> None:
        write_private(self.path / f"{name}.key", pair.key.decode(), 0o600)
        write_private(self.path / f"{name}.crt", pair.certificate.decode(), 0o644)

    def _write_configuration(self) -> None:
        text = self._configuration()
        write_private(self.path / CONFIGURATION, text, 0o644)
        write_private(self.path / INCLUDED, text.replace(PERSISTENCE, ""), 0o644)

    def _configuration(self) -> str:
        return configuration(self.path.resolve(), self.prefix, self.listeners)


def neighbour_port(port: int) -> int:
    """Return the default port of the server's listener for a port of the stations."""
    return port + 1 if port < 65535 else port - 1


def _with_local(hosts: Sequence[str]) -> list[str]:
    """Return the host names with those by which the server on this machine reaches its listener."""
    return list(dict.fromkeys((*hosts, *_LOCAL))) if hosts else []
