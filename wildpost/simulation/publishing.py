"""Publishes simulated messages to a broker, over one connection for each station, as real stations do."""

import sys
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime

from contract import Status, encode, topic_of
from contract.errors import Undelivered
from contract.mqtt import BrokerOptions
from contract.mqtt.publisher import ConfirmedPublisher
from wildpost.simulation.station import SentMessage

_RETRY_S = (1.0, 30.0)  # first and longest pause after the broker did not acknowledge a message


class FleetPublisher:
    """Connections of all stations to the broker; each message is acknowledged before the station's next one is sent."""

    def __init__(self, connections: Mapping[str, BrokerOptions], sleep: Callable[[float], None] = time.sleep) -> None:
        """Store the options; a station connects with its first message.

        Args:
            connections: Options of the connection of each station, by name.
            sleep: Waits for some seconds.
        """
        self._sleep = sleep
        self._status = {name: topic_of(options.prefix, name, "status") for name, options in connections.items()}
        self._links = {
            name: ConfirmedPublisher(options, will=(self._status[name], _offline(name)))
            for name, options in connections.items()
        }
        self._problem = ""

    def publish(
        self, messages: Iterable[SentMessage], speed: float, start: datetime, now: Callable[[], datetime]
    ) -> tuple[int, int]:
        """Publish messages in order; return their number and size in bytes.

        Args:
            messages: The messages in the order in which they arrive.
            speed: Simulated seconds in a second; 0: as fast as the broker acknowledges.
            start: Beginning of the simulated time. At speed 1, simulated time is real time if ``start`` is not later
                than now and not more than an hour ago.
            now: The current time.
        """
        count = size = 0
        began = now()
        origin = began if speed == 1 and 0 <= (began - start).total_seconds() <= 3600 else start
        for one in messages:
            if speed:
                wait_s = (one.at - origin).total_seconds() / speed - (now() - began).total_seconds()
                self._sleep(max(0.0, wait_s))
            self._deliver(one)
            count, size = count + 1, size + len(one.payload)
        return count, size

    def close(self) -> None:
        """Say that the stations are offline, and disconnect them."""
        for name, link in self._links.items():
            if link.connected:
                try:
                    link.publish(self._status[name], _offline(name), retain=True)
                except Undelivered as error:
                    self._note(str(error))
            link.close()

    def _deliver(self, one: SentMessage) -> None:
        pause_s, longest_s = _RETRY_S
        while True:
            try:
                self._links[one.station].publish(one.topic, one.payload, one.retain)
            except Undelivered as error:
                self._note(str(error))
                self._sleep(pause_s)
                pause_s = min(longest_s, 2 * pause_s)
            else:
                self._problem = ""
                return

    def _note(self, problem: str) -> None:
        if problem != self._problem:
            print(f"wildpost: {problem}; trying again", file=sys.stderr, flush=True)
        self._problem = problem


def _offline(station: str) -> bytes:
    return encode(Status(station=station, state="offline", at=datetime.now(UTC), version="simulation"))
