"""Users of the server at the broker of `wildpost broker init`: each connection of the server has a user of its own.

On the stations' listener, the broker uses the user name as the client id, so that nobody can connect under the name of
another. Two connections of one user would therefore replace each other. The settings name one account only,
``ACCOUNT``; each connection derives its own password from the account's password.
"""

import base64
import hashlib
import hmac
from typing import Literal, get_args

ACCOUNT = "wildpost-ingest"
ServerUser = Literal["wildpost-server", "wildpost-live", "wildpost-alerts", "wildpost-home", "wildpost-commands"]
ADMIN = "wildpost-admin"  # changes users while the broker runs; only `wildpost broker` uses it
CONTROL = "$CONTROL/dynamic-security/v1"  # topic of Mosquitto's dynamic-security plugin
SERVER_USERS: tuple[ServerUser, ...] = get_args(ServerUser)


def derived_password(account_password: str, user: str) -> str:
    """Return the password of one of the ``SERVER_USERS``, which does not reveal the account's password.

    It is HMAC-SHA-256 (RFC 2104) of the user name under the account's password, in base64 without padding.
    """
    digest = hmac.digest(account_password.encode(), user.encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
