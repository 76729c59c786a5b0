"""Check, before a server starts to receive, that no other server uses its broker session.

A broker gives a session to the client that connected last, so two servers of one name would take messages from each
other. The server that is put out connects again after a second, which puts out the other one: the check connects,
acknowledges nothing, and waits for that.
"""

import threading
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from contract.errors import WildpostError
from contract.mqtt import connect_arguments, make_client, stop_network_thread
from ingest.receive.mqtt.options import ReceiverOptions

_ANSWER_S = 10.0
_WATCH_S = 3.0  # a server that was put out is back after 1 s (``contract.mqtt.make_client``)


class SessionInUse(WildpostError):
    """Another server is connected under the client id of this one; the message says what to do."""


def check_session(options: ReceiverOptions, watch_s: float = _WATCH_S) -> None:
    """Check that no other server uses the session; takes ``watch_s`` seconds if the broker has such a session.

    Nothing is checked if the broker cannot be reached or refuses the connection: the receiver reports that.

    Args:
        options: Connection settings with the client id.
        watch_s: Seconds to wait for the other server.

    Raises:
        SessionInUse: another server put this connection out.
    """
    connected, ended = threading.Event(), threading.Event()
    known: list[bool] = []  # whether the broker had the session

    def on_connect(client: mqtt.Client, data: object, flags: mqtt.ConnectFlags, reason: Any, _: object) -> None:
        if not reason.is_failure:
            known.append(flags.session_present)
        connected.set()

    client = make_client(
        mqtt.Client,
        options,
        options.client_id,
        keep_session=True,
        user="wildpost-server",
        manual_ack=True,
        reconnect=False,
    )
    client.on_connect = on_connect
    client.on_disconnect = lambda *_: ended.set()
    session = connect_arguments(
        options, keep_session=True, session_expiry_s=options.session_expiry_s, receive_maximum=1
    )
    try:
        client.connect(**session)
    except OSError:
        return
    client.loop_start()
    try:
        connected.wait(_ANSWER_S)
        if known == [True] and ended.wait(watch_s):
            raise SessionInUse(
                f"broker {options.address}: another server is connected as {options.client_id!r}. Two servers of one "
                "name take messages from each other: stop the other one. If this data folder is a copy of that of "
                "another server, give this server a name of its own: [broker] client_id"
            )
        client.disconnect(properties=_forgetting(options) if known == [False] else None)
    finally:
        stop_network_thread(client)


def _forgetting(options: ReceiverOptions) -> Properties | None:
    """Return the properties that end a session which the check itself has opened; MQTT 5 only."""
    if options.protocol != "5":
        return None
    properties = Properties(PacketTypes.DISCONNECT)  # type: ignore[no-untyped-call]
    properties.SessionExpiryInterval = 0
    return properties
