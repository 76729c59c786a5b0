"""Tells messages that a station published before its password was revoked or replaced from those published after.

`wildpost broker revoke` and `rotate` publish a retained marker on ``<prefix>/revoked/<station>``. The broker also
queues the marker in this server's session, after the station's old messages and before its new ones. The retained copy
is read before the session's queue, so the server knows that a marker will come, and refuses the station's messages
until then.
"""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import paho.mqtt.client as mqtt

from contract import topic_of
from contract.durable_file import durable_file
from contract.mqtt import connect_arguments, make_client, stop_network_thread
from contract.server_users import ACCOUNT
from contract.topics import REVOKED_SUFFIX, revoked_topic
from ingest.receive.batch import kind_and_station
from ingest.receive.mqtt.options import ReceiverOptions

LOG = logging.getLogger("wildpost.ingest")
FETCH_S = 10.0


class Marker(msgspec.Struct, frozen=True):
    """Content of a marker: it divides the messages of one station."""

    id: str
    station: str


class Revocations:
    """Markers that were published, and those that this server's session has passed."""

    def __init__(self, options: ReceiverOptions, file: Path | None) -> None:
        """Read the passed markers.

        Args:
            options: Connection settings; only brokers of `wildpost broker init` have markers.
            file: File of the passed markers, for one client id; None: markers are ignored.

        Raises:
            OSError: the file cannot be read.
        """
        self._options = options
        self._file = file if options.username == ACCOUNT else None
        self._topics = revoked_topic(options.prefix, "")  # their first characters
        self._ignored = topic_of(options.prefix, "server", "status")  # with no payload: a probe
        self._passed = self._read()  # id by station; None: no session of this client id knew of markers yet
        self._awaited: Mapping[str, str] = {}  # id of the next marker by station
        self._arrived: dict[int, Marker] = {}  # markers by packet id, until their acknowledgement

    @property
    def subscriptions(self) -> list[str]:
        """Topic filters of the markers, for the session; empty without markers."""
        return [revoked_topic(self._options.prefix, "+")] if self._file else []

    @property
    def awaited(self) -> Sequence[str]:
        """Stations whose messages are refused until their marker arrives."""
        return sorted(self._awaited)

    def connected(self, session_present: bool) -> None:
        """Read the retained markers; call this on each new connection, before its messages are read.

        Args:
            session_present: Whether the broker has kept the session, with messages from before this connection.
        """
        self._arrived.clear()
        if self._file is None:
            return
        retained = self._fetch()
        if retained is None:
            return
        if session_present and self._passed is not None:
            self._awaited = {
                station: marker for station, marker in retained.items() if self._passed.get(station) != marker
            }
            if self._awaited:
                LOG.warning("messages queued before a revocation are quarantined: %s", ", ".join(self.awaited))
        else:
            self._awaited = {}
            self._write(retained)

    def checked(self, topic: str, payload: bytes, mid: int | None) -> tuple[str, bytes]:
        """Return topic and payload with which a message of the session is processed.

        A refused message gets a kind that the codec refuses. A marker becomes a probe, which is ignored.

        Args:
            topic: Topic of the message.
            payload: Payload of the message.
            mid: Packet id for its acknowledgement; None: a retained copy, which says nothing about the queue.
        """
        if topic.startswith(self._topics):
            if mid is not None:
                self._arrive(payload, mid)
            return self._ignored, b""
        if self._awaited and payload and kind_and_station(topic)[1] in self._awaited:
            return topic + REVOKED_SUFFIX, payload
        return topic, payload

    @property
    def is_active(self) -> bool:
        """Whether ``checked`` must be called for each message."""
        return self._file is not None

    def acknowledging(self, mids: Sequence[int]) -> None:
        """Record markers as passed; call this before their acknowledgement is sent."""
        if not self._arrived:
            return
        passed = {marker.station: marker.id for mid in mids if (marker := self._arrived.pop(mid, None))}
        if passed:
            self._write({**(self._passed or {}), **passed})

    def _arrive(self, payload: bytes, mid: int) -> None:
        try:
            marker = msgspec.json.decode(payload, type=Marker)
        except msgspec.DecodeError:
            LOG.warning("a marker of a revocation cannot be read and is ignored")
        else:
            self._arrived[mid] = marker
            self._awaited = {
                station: awaited
                for station, awaited in self._awaited.items()
                if (station, awaited) != (marker.station, marker.id)
            }

    def _fetch(self) -> Mapping[str, str] | None:
        """Return the retained markers by station; None if the broker does not answer."""
        found: dict[str, str] = {}
        ended = threading.Event()
        try:
            client = make_client(
                mqtt.Client, self._options, f"{self._options.client_id}-live", keep_session=False, user="wildpost-live"
            )
            client.on_connect, client.on_message = _on_connect(self.subscriptions), _on_message(found)
            # The broker sends the retained messages before it answers the next request.
            client.on_subscribe = lambda client, *_: client.unsubscribe(self.subscriptions)
            client.on_unsubscribe = lambda *_: ended.set()
            client.connect_async(**connect_arguments(self._options, keep_session=False))
            client.loop_start()
        except OSError as error:
            LOG.error("the broker's markers of revocations cannot be read: %s", error)
            return None
        answered = ended.wait(FETCH_S)
        client.disconnect()
        stop_network_thread(client)
        if not answered:
            LOG.error("the broker's markers of revocations cannot be read: no answer within %.0f s", FETCH_S)
            return None
        return found

    def _read(self) -> Mapping[str, str] | None:
        if self._file is None or not self._file.exists():
            return None
        return msgspec.json.decode(self._file.read_bytes(), type=dict[str, str])

    def _write(self, passed: Mapping[str, str]) -> None:
        if self._file is None:
            return
        with durable_file(self._file) as file:  # a passed marker is acknowledged and never arrives again
            file.write(msgspec.json.encode(passed))
        self._passed = passed


def _on_connect(topics: Sequence[str]) -> Callable[..., None]:
    def connected(client: mqtt.Client, data: object, flags: object, reason: Any, _: object) -> None:
        if not reason.is_failure:
            client.subscribe([(topic, 0) for topic in topics])

    return connected


def _on_message(found: dict[str, str]) -> Callable[..., None]:
    def received(client: mqtt.Client, data: object, message: mqtt.MQTTMessage) -> None:
        try:
            marker = msgspec.json.decode(message.payload, type=Marker)
        except msgspec.DecodeError:
            return
        found[marker.station] = marker.id

    return received
