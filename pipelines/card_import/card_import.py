"""Imports a card: examines its files in all processes, writes their messages in batches, and delivers these.

An import may be killed at any instant and started again: a file counts as imported when its messages are durable, and
a message that the server receives twice is stored once.
"""

import contextlib
import os
import shutil
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from contract.errors import TemporaryFailure
from contract.private_files import make_private_folder
from edge.capture.visits import Visits
from edge.instance_lock import instance_lock
from pipelines.card_import.batches import Batches
from pipelines.card_import.card_effort import CardEffort
from pipelines.card_import.card_files import CardFile, CardListing
from pipelines.card_import.clock_corrections import ClockCorrection
from pipelines.card_import.delivery import Deliver, Delivery
from pipelines.card_import.deployments import CardDeployment
from pipelines.card_import.examine import CardExaminer, ExaminationOptions, ExaminedFile, Sensor
from pipelines.card_import.ledger import KnownFile, Ledger
from pipelines.card_import.messages import CardMessages
from pipelines.card_import.report import CardReport
from pipelines.executor.port import Executor, Failed, Succeeded, WorkerDied

LEDGER, BATCHES, SPOOL = "ledger.sqlite", "batches", "spool"  # in the folder of card imports
_DIED = "the process that examined this file was killed or ran out of memory; it is tried again at the next import"


class CardLost(TemporaryFailure):
    """The card can no longer be read; what was examined so far is kept."""


@dataclass(frozen=True, slots=True)
class CardImportOptions:
    """Where and how a card is imported.

    Attributes:
        root: The card or folder.
        folder: Folder for the ledger and the batches, in the data folder.
        prefix: First levels of the server's topics.
        version: Version of this program.
        visit_gap_s: Longest pause within a visit, in seconds.
    """

    root: Path
    folder: Path
    prefix: str
    version: str
    visit_gap_s: float = 60.0


class CardImport:
    """One run of an import."""

    def __init__(
        self,
        options: CardImportOptions,
        listing: CardListing,
        corrections: Sequence[ClockCorrection],
        deliver: Deliver,
        on_progress: Callable[[CardFile, CardReport], None] = lambda _file, _report: None,
    ) -> None:
        """Store what to import.

        Args:
            options: Where and how.
            listing: The card.
            corrections: Of the clocks of its devices, which its files carry already.
            deliver: Delivers bundles to the server.
            on_progress: Called after each file.
        """
        self._options = options
        self._listing = listing
        self._corrections = corrections
        self._deliver = deliver
        self._on_progress = on_progress
        self._messages = CardMessages(options.prefix, datetime.now(UTC))
        self._described: set[tuple[str, str]] = set()
        self._added: set[str] = set()
        self._sensors: dict[tuple[str, str], set[Sensor]] = defaultdict(set)  # of each deployment
        for file in listing.files:
            self._sensors[file.deployment.key].add("microphone" if file.family == "recording" else "camera")
        self.report = CardReport(
            files=len(listing.files),
            aside=dict(listing.bad),
            unplaced=listing.unplaced,
            passed_over=listing.passed_over,
        )

    def run(
        self,
        executor: Executor,
        examination: Callable[[Path, Path], ExaminationOptions],
        stopped: Callable[[], bool] = lambda: False,
    ) -> Delivery:
        """Examine all files and deliver their messages.

        Args:
            executor: Runs the examination.
            examination: Returns its options, given the ledger and the folder for large results.
            stopped: Ends the import early when it returns True; what was examined is kept.

        Returns:
            The delivery, which has ended.

        Raises:
            StationRunning: another process imports into this data folder.
            CardLost: the card can no longer be read.
            LedgerError: the ledger cannot be used.
            OSError: the disk is full.
        """
        folder = self._options.folder
        with instance_lock(folder, "imports a card into this data folder"), Ledger(folder / LEDGER) as ledger:
            spool = folder / SPOOL
            shutil.rmtree(spool, ignore_errors=True)  # of an import that was killed
            make_private_folder(spool)
            batches = Batches(folder / BATCHES, ledger, self._options.version)
            delivery = Delivery(self._deliver, batches.written)
            with delivery:
                try:
                    self._examine(executor, examination(ledger.path, spool), ledger, batches, delivery, stopped)
                finally:
                    self._commit(batches, delivery)  # after an exception too: what is complete is kept
                if self.report.done == self.report.files:
                    self._account_for_effort(ledger, batches, delivery)
                    self._commit(batches, delivery)
                delivery.finish()
            return delivery

    def _examine(
        self,
        executor: Executor,
        examination: ExaminationOptions,
        ledger: Ledger,
        batches: Batches,
        delivery: Delivery,
        stopped: Callable[[], bool],
    ) -> None:
        visits = Visits(self._options.visit_gap_s, ledger.visits_around)
        outcomes = executor.run(partial(_open, examination), self._listing.files, cancelled=stopped)
        with contextlib.closing(outcomes):
            for outcome in outcomes:
                file, examined = outcome.task, _result(outcome)
                if examined.temporary:
                    self._check_card()
                batches.begin()
                self._take(file, examined, ledger, batches, visits)
                self.report.done += 1
                self._on_progress(file, self.report)
                if batches.is_due:
                    self._commit(batches, delivery)

    def _take(self, file: CardFile, examined: ExaminedFile, ledger: Ledger, batches: Batches, visits: Visits) -> None:
        """Add the messages of a file to the batch, and the file to the ledger, in one transaction."""
        station = file.deployment.station
        sensor = examined.sensor
        if examined.known is None and examined.sha256 in self._added:  # a copy, examined at the same time
            if examined.more is not None:
                examined.more.unlink()
            examined = ExaminedFile(examined.sha256, sensor, ledger.find(examined.sha256))
        if examined.known is not None:
            self.report.add_known(file, examined, repeated=examined.sha256 in self._added)
            if examined.known[:2] == file.deployment.key:
                self.report.sensors[file.deployment.key].add(sensor)
            return
        self.report.add_new(file, examined)
        if examined.used:
            self.report.sensors[file.deployment.key].add(sensor)
        messages = []
        for number, capture in enumerate(examined.all_captures()):
            self._describe(file.deployment, batches)
            # Captures without a known time share no visit with those of another import.
            series = "/".join((*file.deployment.key, sensor, "" if capture.clock.is_known else file.inside))
            visit = visits.visit_of(series, capture.captured_at)
            new, visit = self._messages.of_capture(file, sensor, examined.sha256, number, capture, visit)
            ledger.store_visit(visit)
            self.report.add_capture(file, capture)
            messages += new
        reported = f"{station}/{file.deployment.deployment}/{file.inside}/{file.size}"
        for reason, analysed in ((examined.problem, False), *((one, True) for one in examined.remarks)):
            if reason and ledger.is_first_report(f"{reported}/{reason}"):
                messages.append(self._messages.set_aside(file, sensor, reason, analysed))
        if sensor == "microphone" and examined.start and examined.end:
            messages += self._messages.effort(
                file.deployment, sensor, examined.start, examined.end, 1, "a recording on a card"
            )
        # After an exception before this line, the file is not in the ledger, and is examined again.
        batches.add(station, messages)
        if examined.sha256:
            known = KnownFile(*file.deployment.key, file.inside, examined.problem)
            ledger.add(examined.sha256, sensor, known, examined.start, examined.end)
            self._added.add(examined.sha256)

    def _describe(self, deployment: CardDeployment, batches: Batches) -> None:
        """Send the description of a deployment before its first event."""
        if deployment.key in self._described:
            return
        self._described.add(deployment.key)
        corrections = [one for one in self._corrections if one.deployment.key == deployment.key]
        self.report.deployments[deployment.key].corrections = [str(one) for one in corrections]
        batches.add(
            deployment.station,
            [self._messages.deployment(deployment, sorted(self._sensors[deployment.key]), corrections)],
        )

    def _account_for_effort(self, ledger: Ledger, batches: Batches, delivery: Delivery) -> None:
        effort = CardEffort(ledger, self._messages, datetime.now(UTC))
        deployments = {file.deployment.key: file.deployment for file in self._listing.files}
        for key, sensors in self.report.sensors.items():
            batches.begin()
            for sensor in sorted(sensors):
                messages, text = effort.of(deployments[key], sensor)
                self.report.deployments[key].effort[sensor] = text
                if messages:
                    batches.add(key[0], messages)
            if batches.is_due:
                self._commit(batches, delivery)

    def _commit(self, batches: Batches, delivery: Delivery) -> None:
        folder = batches.commit()
        if folder is not None:
            delivery.add(folder)

    def _check_card(self) -> None:
        """Raise an error if a file could not be read because the whole card cannot be read.

        Raises:
            CardLost: it cannot.
        """
        root = self._options.root
        try:
            with os.scandir(root) as entries:
                next(entries, None)
        except OSError as error:
            raise CardLost(
                f"{root}: {error.strerror or error}: the card can no longer be read; what was examined is kept: "
                "plug it in and run the same command again"
            ) from error


def _result(outcome: Succeeded[CardFile, ExaminedFile] | Failed[CardFile]) -> ExaminedFile:
    if isinstance(outcome, Succeeded):
        return outcome.result
    if isinstance(outcome.error, WorkerDied):
        return ExaminedFile(problem=_DIED, temporary=True)
    raise outcome.error


def _open(options: ExaminationOptions) -> Callable[[CardFile], ExaminedFile]:
    return CardExaminer(options).examine
