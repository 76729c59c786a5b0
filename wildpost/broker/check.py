"""Finds what needs attention in a broker's folder: handed-over passwords, old rules, certificates about to expire."""

import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from wildpost.broker.certificates import expires_at
from wildpost.broker.dynamic_security import FILE
from wildpost.broker.folder import ADMIN_PASSWORD, BrokerFolder
from wildpost.broker.live_change import LiveChange

_SOON = timedelta(days=30)
_PRIVATE = ("ca.key", "broker.key", FILE, ADMIN_PASSWORD)


def check_folder(folder: BrokerFolder) -> Iterator[str]:
    """Yield one line, with the remedy, for each thing that needs attention."""
    for user in folder.handovers.users():
        yield f"the password of {user} is still in the folder: wildpost broker handed-over {folder.path} {user}"
    if not folder.is_current:
        yield f"configuration or users of another version: wildpost broker upgrade {folder.path}"
    for station in LiveChange(folder).unmarked:
        yield f"{station} was revoked or rotated while the broker did not run: revoke or rotate it again"
    for name in _PRIVATE:
        file = folder.path / name
        if file.exists() and (mode := stat.S_IMODE(file.stat().st_mode)) & 0o077:
            yield f"{file}: mode {mode:04o}, so others can read it: chmod 600 {file}"
    for name in ("broker", "ca"):
        if (until := expires_at(folder.path / f"{name}.crt")) - datetime.now(UTC) < _SOON:
            yield f"{name}.crt expires on {until:%Y-%m-%d}: wildpost broker renew {folder.path}"
