"""File of Mosquitto's dynamic-security plugin: password hashes, and each user's rights as a role of the same name."""

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wildpost.broker.rights import BrokerFolderError, Right, rights_of

FILE = "dynamic-security.json"
_ROUNDS = 20_000
_SALT_BYTES = 12  # the only length that Mosquitto 2.0 accepts


@dataclass(frozen=True, slots=True)
class PasswordHash:
    """PBKDF2-HMAC-SHA512 of a password; salt and hash in base64."""

    salt: str
    hash: str
    rounds: int

    def matches(self, password: str) -> bool:
        """Return whether it is the hash of a password."""
        return hmac.compare_digest(_digest(password, base64.b64decode(self.salt), self.rounds), self.hash)


def hashed(password: str) -> PasswordHash:
    """Return the hash of a password with a new random salt."""
    salt = secrets.token_bytes(_SALT_BYTES)
    return PasswordHash(base64.b64encode(salt).decode(), _digest(password, salt, _ROUNDS), _ROUNDS)


def _digest(password: str, salt: bytes, rounds: int) -> str:
    return base64.b64encode(hashlib.pbkdf2_hmac("sha512", password.encode(), salt, rounds)).decode()


def read_users(path: Path) -> dict[str, PasswordHash]:
    """Return the password hashes by user name.

    Raises:
        BrokerFolderError: the file is missing or damaged.
    """
    try:
        clients = json.loads(path.read_text(encoding="utf-8"))["clients"]
        return {
            one["username"]: PasswordHash(one["salt"], one["password"], one["iterations"])
            for one in clients
            if "password" in one
        }
    except FileNotFoundError as error:
        raise BrokerFolderError(f"{path.parent}: no broker here; create one with wildpost broker init") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BrokerFolderError(f"{path}: {error!r}: expected a file of the dynamic-security plugin") from error


def read_password_file(path: Path) -> dict[str, PasswordHash]:
    """Return the hashes of a ``password_file`` in the format of mosquitto_passwd, ``user:$7$rounds$salt$hash``.

    Raises:
        BrokerFolderError: the file cannot be read.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise BrokerFolderError(f"{path}: {error.strerror}") from error
    found = {}
    for line in filter(None, lines):
        try:
            user, stored = line.split(":", 1)
            _, version, rounds, salt, digest = stored.split("$")
            if version != "7":
                raise ValueError(f"hash version {version!r}")
            found[user] = PasswordHash(salt, digest, int(rounds))
        except ValueError as error:
            raise BrokerFolderError(f"{path}: {error}: expected lines user:$7$rounds$salt$hash") from error
    return found


def file_text(users: Mapping[str, PasswordHash], prefix: str) -> str:
    """Return the content of the plugin's file; a user without a right to something is refused."""
    content = {
        "defaultACLAccess": {
            "publishClientSend": False,
            "publishClientReceive": False,
            "subscribe": False,
            "unsubscribe": True,
        },
        "clients": [
            {
                "username": user,
                "roles": [{"rolename": user, "priority": 0}],
                "password": stored.hash,
                "salt": stored.salt,
                "iterations": stored.rounds,
            }
            for user, stored in sorted(users.items())
        ],
        "groups": [],
        "roles": [{"rolename": user, "acls": _acls(rights_of(user, prefix))} for user in sorted(users)],
    }
    return json.dumps(content, indent=1) + "\n"


def set_user_commands(user: str, password: str, prefix: str) -> list[dict[str, Any]]:
    """Return the plugin's commands that create a user, or replace it and end its connections."""
    return [
        *remove_user_commands(user),
        {"command": "createRole", "rolename": user, "acls": _acls(rights_of(user, prefix))},
        {
            "command": "createClient",
            "username": user,
            "password": password,
            "roles": [{"rolename": user, "priority": 0}],
        },
    ]


def remove_user_commands(user: str) -> list[dict[str, Any]]:
    """Return the plugin's commands that remove a user and end its connections."""
    return [{"command": "deleteClient", "username": user}, {"command": "deleteRole", "rolename": user}]


def _acls(rights: Iterable[Right]) -> list[dict[str, Any]]:
    return [{"acltype": one.kind, "topic": one.topic, "priority": 0, "allow": True} for one in rights]
