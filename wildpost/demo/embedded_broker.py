"""A small MQTT 3.1.1 broker for the demo, so that the demo needs no installed broker."""

import asyncio
import logging
import socket
import threading
from types import TracebackType
from typing import Self


class EmbeddedBroker:
    """An amqtt broker on the loopback address, in its own thread.

    It persists nothing: use Mosquitto for anything but a demo.
    """

    def __init__(self, port: int = 0) -> None:
        """Choose the port.

        Args:
            port: Port to listen on; 0: any free port.
        """
        self.port = port or _free_port()
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._ready = threading.Event()
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="broker", daemon=True)

    def __enter__(self) -> Self:
        """Start the broker and wait until it listens.

        Raises:
            OSError: it could not listen on its port.
        """
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            raise OSError(f"the demo's broker could not listen on 127.0.0.1:{self.port}: {self._failure}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the broker."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._loop.close()

    async def _serve(self) -> None:
        from amqtt.broker import Broker
        from amqtt.errors import BrokerError

        for name in ("amqtt", "transitions"):
            logging.getLogger(name).setLevel(logging.ERROR)
        broker = Broker(
            {
                "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{self.port}", "max_connections": 50}},
                "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
            }
        )
        try:
            await broker.start()
        except (BrokerError, OSError) as error:
            self._failure = error
            return
        finally:
            self._ready.set()
        await self._stop.wait()
        await broker.shutdown()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
