"""Writes simulated messages into a server's data folder, by the server's own intake, without a broker."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from random import Random

import msgspec

from casebook.access.actor import Actor
from casebook.verdicts import Verdict
from contract import Event
from contract.errors import InvalidInput
from ingest.intake import BatchResult, Intake
from ingest.receive.batch import ReceivedMessage, read_batch
from ingest.store.port import EventQuery
from ingest.store.simulated import simulated_stations
from review.decisions import Decision, create_verdicts
from wildpost.server.alerting import AlertsOptions
from wildpost.server.assembly import OpenDatabases, open_databases
from wildpost.settings.server import ServerSettings
from wildpost.simulation.station import SentMessage

REVIEWER = "simulation"  # the name under which simulated decisions are recorded
_BATCH = 1_500  # messages in one commit
_CHECK_EVERY = timedelta(days=1)  # between two looks for blind stations
_UNDECIDED = timedelta(days=4)  # captures of the last days are left for the reader to decide
_QUERY = 500  # events read at once
_REVIEWED_ANIMALS = 0.08  # share of the captures without a flag that are decided


@dataclass(slots=True)
class WrittenYear:
    """What was written: counts of the intake, and the number of recorded decisions."""

    counts: BatchResult = field(default_factory=BatchResult)
    decisions: int = 0


def write_into(
    folder: Path,
    settings: ServerSettings,
    settings_folder: Path,
    messages: Iterable[SentMessage],
    decide: bool,
    seed: int = 0,
) -> WrittenYear:
    """Store messages as if they had arrived at their simulated times, and raise flags and incidents.

    No alert is sent anywhere.

    Args:
        folder: Data folder of a server that does not run.
        settings: Settings of the server: its rules, zones and databases.
        settings_folder: The folder that paths in the settings are relative to.
        messages: The messages in the order in which they arrive.
        decide: Whether to record decisions on flagged captures and on some others, as reviewers would.
        seed: Seed of these decisions.

    Raises:
        InvalidInput: the folder holds data of real stations.
        StoreUnavailable: a server runs on the folder, or a database cannot be opened.
    """
    quiet = msgspec.structs.replace(settings, alerts=AlertsOptions(policy=settings.alerts.policy))
    written = WrittenYear()
    false_findings: set[str] = set()
    with open_databases(quiet, folder, settings_folder, primary=False) as opened:
        real = {one.station for one in opened.store.stations()} - simulated_stations(opened.store.deployments())
        if real:
            raise InvalidInput(f"{folder}: holds data of real stations ({min(real)}...); choose a folder of its own")
        writer = _Writer(opened)
        for part in _parts(messages):
            false_findings.update(one.false_finding for one in part if one.false_finding)
            written.counts += writer.write(part)
        if writer.began:
            writer.check_stations(listening_since=writer.began)
        if decide:
            written.decisions = _decide(opened, writer.events, writer.latest, false_findings, Random(seed))  # noqa: S311
    return written


class _Writer:
    """Writes batches, and looks for silent stations at simulated times."""

    def __init__(self, opened: OpenDatabases) -> None:
        self._service = opened.alerts.incident_service
        self._intake = Intake(opened.store, opened.casebook, opened.media, opened.rules, self._service)
        self._checked: datetime | None = None
        self.began: datetime | None = None
        self.events: list[str] = []
        self.latest = datetime.min.replace(tzinfo=UTC)

    def write(self, part: list[SentMessage]) -> BatchResult:
        """Store one batch."""
        batch = read_batch([ReceivedMessage(one.topic, one.payload, one.at) for one in part])
        self.events += [one.record.event_id for one in batch.records if isinstance(one.record, Event)]
        result = self._intake.conclude(batch, self._intake.store(batch))
        self.began = self.began or part[0].at
        self.latest = part[-1].at
        if self._checked is None or self.latest - self._checked >= _CHECK_EVERY:
            self.check_stations(listening_since=self.latest)  # a fleet that reports seldom is not silent
            self._checked = self.latest
        return result

    def check_stations(self, listening_since: datetime) -> None:
        """Record incidents of blind stations, and of those that have been silent since ``listening_since``."""
        self._service.check_stations(self.latest, listening_since)


def _decide(
    opened: OpenDatabases, event_ids: list[str], latest: datetime, false_findings: set[str], random: Random
) -> int:
    """Record decisions on flagged captures and on some others, hours after they arrived; return their number."""
    verdicts: list[Verdict] = []
    closed: list[tuple[str, datetime]] = []
    for first in range(0, len(event_ids), _QUERY):
        ids = tuple(event_ids[first : first + _QUERY])
        flags = opened.casebook.flags_of(ids)
        for listed in opened.store.listing(EventQuery(event_ids=ids, limit=len(ids))):
            event, flagged = listed.event, listed.event.event_id in flags
            if not event.detections or listed.listed_at > latest - _UNDECIDED:
                continue
            if not flagged and random.random() >= _REVIEWED_ANIMALS:
                continue
            at = listed.listed_at + timedelta(hours=random.uniform(1, 60))
            outcome = Decision(event.event_id, "dismissed" if event.event_id in false_findings else "confirmed")
            verdicts += create_verdicts(event, outcome, Actor("", REVIEWER), at)
            if flagged:
                closed.append((event.event_id, at))
    verdicts.sort(key=lambda one: one.decided_at)
    for first in range(0, len(verdicts), _QUERY):
        recorded = opened.casebook.record_verdicts(verdicts[first : first + _QUERY])
        opened.store.apply_verdicts(recorded)
        opened.casebook.mark_applied(recorded)
    for event_id, at in closed:
        opened.casebook.close_flags(event_id, REVIEWER, at)
    return len(verdicts)


def _parts(messages: Iterable[SentMessage]) -> Iterator[list[SentMessage]]:
    rest = iter(messages)
    while part := list(islice(rest, _BATCH)):
        yield part
