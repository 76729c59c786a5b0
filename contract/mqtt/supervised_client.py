"""paho MQTT client whose network thread survives an exception in a callback or in paho itself."""

import contextlib
import socket
import time
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import MQTTErrorCode

from contract.supervision import Part, Supervisor

_POLL_S = 0.1


class SupervisedClient(mqtt.Client):
    """paho MQTT client with a supervised network thread.

    paho ends its network thread at the first exception, and nothing says so. This client closes the connection, since
    a packet that was half read cannot be continued, and connects again after a pause.
    """

    def __init__(self, *options: Any, **named: Any) -> None:
        """Create the client with the arguments of ``paho.mqtt.client.Client``."""
        self.part: Part = Supervisor().part("mqtt")
        super().__init__(*options, **named)

    def loop_forever(self, timeout: float = 1.0, retry_first_connection: bool = False) -> MQTTErrorCode:
        """Run the network loop until ``disconnect``; see ``paho.mqtt.client.Client.loop_forever``."""
        while True:
            try:
                return super().loop_forever(timeout, retry_first_connection)
            except Exception as error:  # noqa: BLE001, ``failed`` logs it
                until = time.monotonic() + self.part.failed(error)
                connection: Any = self.socket()
                if connection is not None:
                    # paho notices the closed connection, calls on_disconnect and connects again.
                    with contextlib.suppress(OSError):
                        connection.shutdown(socket.SHUT_RDWR)
                while time.monotonic() < until and not self._thread_terminate:
                    time.sleep(_POLL_S)
                self.part.resumed()
