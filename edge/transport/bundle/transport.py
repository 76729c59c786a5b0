"""Transport over a USB stick; it exports messages whenever the stick is plugged in."""

import logging

from contract.errors import TemporaryFailure
from contract.supervision import SupervisedThread
from edge.outbox.drain import wait_until_empty
from edge.outbox.outbox import Outbox
from edge.transport.bundle.exporter import BundleExporter, BundleOptions

LOG = logging.getLogger("wildpost.bundle")


class BundleTransport:
    """``Transport`` over a USB stick; the server that imports the messages writes receipts to the stick."""

    def __init__(self, options: BundleOptions, station: str, outbox: Outbox, version: str = "") -> None:
        """Store the options; ``start`` begins to export."""
        self._exporter = BundleExporter(options, station, outbox, version)
        self._every_s = options.every_s
        self._outbox = outbox
        self._problem = ""
        self._thread = SupervisedThread("bundles", self._step, pauses_s=(1.0, 60.0))

    @property
    def connected(self) -> bool:
        """See ``Transport.connected``."""
        return self._exporter.folder.is_dir()

    @property
    def problem(self) -> str:
        """See ``Transport.problem``."""
        return self._problem or self._thread.part.problem

    def start(self) -> None:
        """See ``Transport.start``."""
        self._thread.start()

    def drain(self, timeout_s: float) -> bool:
        """See ``Transport.drain``; a message is confirmed when an export finds its receipt on the stick."""
        return wait_until_empty(self._outbox, timeout_s, self._thread.stopping)

    def stop(self) -> None:
        """See ``Transport.stop``; if the stick is plugged in, a last export writes the remaining messages."""
        was_started = self._thread.started
        self._thread.stop()
        if was_started:
            self._export()

    def _step(self) -> float:
        self._export()
        return self._every_s

    def _export(self) -> None:
        try:
            report = self._exporter.export()
        except TemporaryFailure as error:
            self._note(str(error))
            return
        if report.messages or report.confirmed:
            LOG.info("%d messages exported, %d confirmed by receipts", report.messages, report.confirmed)
        full = f"{self._exporter.folder} is full: {report.left_out} messages are left out"
        self._note("; ".join([*report.problems, *([full] if report.left_out else [])]))

    def _note(self, problem: str) -> None:
        """Store the current problem, and log it once instead of at every attempt."""
        if problem and problem != self._problem:
            LOG.error("%s; everything is kept", problem)
        self._problem = problem
