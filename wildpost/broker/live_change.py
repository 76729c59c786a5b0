"""Applies a change of the broker's users to the running broker, and separates what a station queued before it.

A message that the broker queued for an absent server does not name the password under which it was published. Therefore
a revocation or rotation publishes a retained marker. The server's sessions receive the marker after the station's old
messages and before its new ones, and the server quarantines the old ones; see ``ingest.receive.mqtt.revocations``.
"""

import json
from datetime import UTC, datetime
from uuid import uuid4

from contract import topic_of
from contract.errors import Undelivered
from contract.mqtt.broker_control import BrokerControl
from contract.topics import CHANNELS, KINDS, revoked_topic
from wildpost.broker.dynamic_security import remove_user_commands, set_user_commands
from wildpost.broker.folder import BrokerFolder
from wildpost.broker.handover import write_private
from wildpost.broker.rights import NOT_STATIONS

_UNMARKED = "unmarked"  # file with the stations whose marker is not published yet, one a line


class LiveChange:
    """Changes of a broker's users while the broker may be running."""

    def __init__(self, folder: BrokerFolder) -> None:
        """Store the broker's folder."""
        self._folder = folder

    @property
    def unmarked(self) -> list[str]:
        """Stations that were revoked or rotated while the broker did not run, so that their marker is missing."""
        try:
            return (self._folder.path / _UNMARKED).read_text(encoding="utf-8").split()
        except FileNotFoundError:
            return []

    def set_user(self, name: str, password: str, replaced: bool) -> bool:
        """Create a user at the running broker, or replace it and end its connections.

        Args:
            name: Name of the user.
            password: Its new password.
            replaced: Whether a former password of this user is no longer valid.

        Returns:
            Whether a broker is running; if not, it reads the folder when it starts.

        Raises:
            Undelivered: a broker is running and did not accept the change.
        """
        passwords = self._folder.passwords_for(name, password)
        commands = [
            command for user, one in passwords.items() for command in set_user_commands(user, one, self._folder.prefix)
        ]
        return self._apply(name, commands, marked=replaced and name not in NOT_STATIONS)

    def remove_user(self, name: str) -> bool:
        """Remove a user at the running broker, with its connections; returns and raises as ``set_user``."""
        return self._apply(name, remove_user_commands(name), marked=True)

    def _apply(self, name: str, commands: list[dict[str, object]], marked: bool) -> bool:
        if marked:
            self._note_unmarked([*self.unmarked, name])
        address = self._folder.control_address
        if not address.answers():
            return False
        try:
            with BrokerControl(address) as control:
                control.run(commands)
                for station in self.unmarked:
                    self._mark(control, station)
                    self._note_unmarked([one for one in self.unmarked if one != station])
        except Undelivered as error:
            raise Undelivered(f"{error}. The folder has changed, but not the running broker: restart it") from error
        return True

    def _mark(self, control: BrokerControl, station: str) -> None:
        control.end_session(station)
        for kind in (*KINDS, *CHANNELS):
            control.retain(topic_of(self._folder.prefix, station, kind), b"")
        marker = {"id": uuid4().hex, "station": station, "at": datetime.now(UTC).isoformat()}
        control.retain(revoked_topic(self._folder.prefix, station), json.dumps(marker).encode())

    def _note_unmarked(self, stations: list[str]) -> None:
        text = "".join(f"{station}\n" for station in dict.fromkeys(stations))
        write_private(self._folder.path / _UNMARKED, text, 0o600)
