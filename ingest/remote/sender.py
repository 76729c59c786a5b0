"""Background thread that seals and sends what people ask of stations, again until the station answers."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime

from casebook.media_parts import MediaParts
from casebook.station_commands import StationCommand, StationCommands
from contract import topic_of
from contract.errors import TemporaryFailure
from contract.mqtt.publisher import ConfirmedPublisher
from contract.supervision import SupervisedThread, Supervisor
from ingest.remote.signer import Signer

LOG = logging.getLogger("wildpost.ingest")
EVERY_S = 2.0  # between two looks at the casebook, in which commands of other processes appear


class CommandSender:
    """Thread that sends the commands in the casebook; one process of a server runs it."""

    def __init__(
        self,
        commands: StationCommands,
        parts: MediaParts,
        signer: Signer,
        link: ConfirmedPublisher,
        prefix: str,
        supervisor: Supervisor | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Create the thread without starting it.

        Args:
            commands: The commands.
            parts: Parts of originals on their way.
            signer: Signs them.
            link: Connection to the broker; closed by ``stop``.
            prefix: First levels of every topic.
            supervisor: Register of the failures.
            now: The clock.
        """
        self._commands, self._parts, self._signer = commands, parts, signer
        self._link, self._prefix, self._now = link, prefix, now
        self._thread = SupervisedThread("commands", self._step, supervisor)
        self.problem = ""

    def start(self) -> None:
        """Start sending."""
        self._thread.start()

    def wake(self) -> None:
        """Send now what was asked for in this process."""
        self._thread.wake()

    def stop(self) -> None:
        """Stop after the message in progress, and disconnect."""
        self._thread.stop()
        self._link.close()

    def run_once(self) -> None:
        """Send what is due.

        Raises:
            TemporaryFailure: casebook or broker did not answer; ``problem`` says why.
        """
        try:
            for command in self._commands.due(self._now()):
                self._send(command)
            self._parts.delete_abandoned()
        except TemporaryFailure as error:
            self.problem = f"commands to stations wait: {error}"
            raise
        self.problem = ""

    def _send(self, command: StationCommand) -> None:
        envelope = command.envelope
        if envelope is None:
            now = self._now()
            if now >= self._signer.expires:
                self.problem = "the certificate of the signing key has expired: wildpost commands certify"
                raise TemporaryFailure(self.problem)
            serial = self._commands.next_serial(command, now)
            envelope = self._signer.seal(
                command.station, serial, command.nonce, command.kind, command.payload, now, command.expires_at
            )
            self._commands.seal(command.number, serial, envelope)
        topic = topic_of(self._prefix, command.station, command.channel)
        self._link.publish(topic, envelope, retain=command.channel == "settings")
        self._commands.sent(command.number, self._now())
        LOG.info("%s %d was sent to %s", command.kind, command.number, command.station)

    def _step(self) -> float:
        self.run_once()
        return EVERY_S
