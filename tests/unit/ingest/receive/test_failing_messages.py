"""A message at which the server fails is set aside alone; where every message fails, none is set aside."""

import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from casebook.casebook import Casebook
from casebook.incidents import shot_repository
from casebook.incidents.alert_policy import AlertPolicy
from casebook.incidents.corroboration import Shot, corroborate
from casebook.incidents.database import Database
from casebook.incidents.occurrence import IncidentOptions
from casebook.incidents.repository import IncidentRepository
from casebook.incidents.shot_repository import ShotRepository
from casebook.incidents.station_watch import StationWatch
from contract import Effort, Event, Health, MediaContent, encode, new_event_id, topic_of
from contract.codec import Record, kind_of
from contract.errors import StoreUnavailable
from contract.examples import EFFORT, EVENT, HEALTH, MEDIA_CONTENT, SOUND_EVENT
from contract.supervision import Supervisor
from ingest.intake import Intake
from ingest.media.folder import FolderMedia
from ingest.metrics.intake_metrics import IntakeMetrics
from ingest.receive import batch as batch_module
from ingest.receive.batch import ReceivedMessage
from ingest.receive.message_buffer import BufferedMessage, MessageBuffer
from ingest.receive.mqtt.options import ReceiverOptions
from ingest.receive.pipeline import ReceivePipeline
from ingest.rules.incident_service import IncidentService
from ingest.rules.rule_set import Rule, RuleSet, RulesOptions
from ingest.store.duckdb.store import DuckDbStore
from ingest.store.port import EventQuery
from tests.eventually import eventually

OPTIONS = ReceiverOptions(batch_messages=40, retry_min_s=0.01, retry_max_s=0.05)
PILL = "pill"


class Source:
    """Delivers what a test puts in, and notes what is acknowledged; implements ``MessageSource``."""

    connected, problem, idle_s = True, "", 0.0

    def __init__(self) -> None:
        self.acknowledged: list[int] = []
        self.refuse_acknowledging = 0
        self._buffer: MessageBuffer

    def start(self, buffer: MessageBuffer, stopping: threading.Event, answer_s: float) -> None:
        self._buffer, self._stopping = buffer, stopping

    def put(self, records: Sequence[Record]) -> None:
        at = datetime.now(UTC)
        self._buffer.put(
            [
                BufferedMessage(
                    ReceivedMessage(topic_of("wildpost", one.station, kind_of(one)), encode(one), at), number, 1, 0
                )
                for number, one in enumerate(records)
            ],
            self._stopping,
        )

    def acknowledge(self, batch: Sequence[BufferedMessage]) -> None:
        if batch and self.refuse_acknowledging:
            self.refuse_acknowledging -= 1
            raise RuntimeError("a defect while acknowledging")
        self.acknowledged += [one.mid for one in batch]

    def stop(self) -> None:
        pass


class Site:
    """Real stores, rules and incidents behind a real pipeline."""

    def __init__(self, folder: Path, casebook_url: str) -> None:
        self.store, self.casebook = DuckDbStore(folder / "d.duckdb"), Casebook(casebook_url)
        self.media = FolderMedia(folder / "media")
        self.rules = RuleSet(RulesOptions(rule=(Rule(name="person", observation_types=("human",)),)), ())
        database, incidents = Database(self.casebook.engine), IncidentOptions()
        self.watch = StationWatch(database, (), incidents)
        self.shots = ShotRepository(database, incidents.corroboration)
        self.incidents = IncidentRepository(database, incidents, AlertPolicy(), ["rangers"])
        self.supervisor = Supervisor(0.01, 0.05)
        self.service = IncidentService(
            self.rules, self.store, self.incidents, self.shots, self.watch, incidents, supervisor=self.supervisor
        )
        self.metrics = IntakeMetrics()
        self.intake = Intake(self.store, self.casebook, self.media, self.rules, self.service, self.metrics)
        self.source = Source()
        self.pipeline = ReceivePipeline(OPTIONS, self.intake, [self.source], self.metrics, self.supervisor)
        self.pipeline.start()

    def take(self, records: Sequence[Record]) -> None:
        """Receive records, and wait until all are acknowledged."""
        wanted = len(self.source.acknowledged) + len(records)
        self.source.put(records)
        eventually(lambda: len(self.source.acknowledged) == wanted, f"acknowledged {self.source.acknowledged}")

    @property
    def stored(self) -> set[str]:
        return {event.event_id for event in self.store.events(EventQuery(limit=10_000))}

    def close(self) -> None:
        self.pipeline.stop()
        self.store.close()
        self.casebook.close()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    opened = Site(tmp_path, f"sqlite:///{tmp_path}/casebook.sqlite")
    yield opened
    opened.close()


def event(station: str, pill: bool = False) -> Event:
    return msgspec.structs.replace(
        EVENT, event_id=new_event_id(), station=station, deployment=PILL if pill else "lake-07-2026"
    )


def batch(pills: int, honest: int) -> tuple[list[Event], list[Event]]:
    bad, good = [event("thief", pill=True) for _ in range(pills)], [event(f"st{n % 3}") for n in range(honest)]
    return bad, good


def fail_at(
    monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, error: Exception, is_pill: Callable[[Any], bool]
) -> None:
    """Make a method raise an exception if one of its arguments contains a pill."""
    method = getattr(owner, name)

    def failing(*arguments: Any, **named: Any) -> Any:
        if is_pill((arguments, named)):
            raise error
        return method(*arguments, **named)

    monkeypatch.setattr(owner, name, failing)


def contains_pill(found: Any) -> bool:
    if isinstance(found, (list, tuple, dict)):
        return any(contains_pill(one) for one in (found.values() if isinstance(found, dict) else found))
    if isinstance(found, bytes):
        return PILL.encode() in found
    if isinstance(found, (str, Event, Effort, Health, MediaContent)):
        return PILL in str(found)
    inner = getattr(found, "record", None) or getattr(found, "event", None)
    return inner is not None and contains_pill(inner)


@pytest.mark.parametrize(
    "error",
    [
        OverflowError("date value out of range"),
        MemoryError(),
        RecursionError("maximum recursion depth exceeded"),
        KeyError("label"),
        UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed"),
        OSError(36, "File name too long"),
    ],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize("place", ["decode", "write", "evaluate", "shots"])
def test_the_one_message_is_quarantined_with_the_name_of_the_exception_and_the_rest_is_kept(
    site: Site, monkeypatch: pytest.MonkeyPatch, place: str, error: Exception
) -> None:
    owners: dict[str, tuple[Any, str]] = {
        "decode": (batch_module, "decode"),
        "write": (site.store, "write"),
        "evaluate": (site.rules, "evaluate"),
        "shots": (site.watch, "record"),
    }
    if place == "shots":
        method = site.watch.record
        monkeypatch.setattr(site.watch, "record", lambda received: method(list(received)))
        fail_at(monkeypatch, site.incidents, "record", error, lambda found: bad[0].event_id in str(found))
    else:
        fail_at(monkeypatch, *owners[place], error, contains_pill)
    bad, good = batch(1, 30)
    records = [*good[:17], *bad, *good[17:]]
    site.take(records)
    site.take(records)  # delivered again: everything is known
    assert {one.event_id for one in good} <= site.stored
    (item,) = site.casebook.quarantined()
    assert (item.reason, item.station, item.payload) == ("error", "thief", encode(bad[0]))
    assert f"the server fails at this message: {type(error).__name__}" in item.detail
    assert site.casebook.totals().flags >= len(good)
    assert site.pipeline.problem == ""


@pytest.mark.parametrize("where", ["health", "effort", "media"])
def test_it_holds_for_every_kind_of_message(site: Site, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    pills: dict[str, Record] = {
        "health": msgspec.structs.replace(HEALTH, station=PILL),
        "effort": msgspec.structs.replace(EFFORT, station=PILL),
        "media": msgspec.structs.replace(MEDIA_CONTENT, station=PILL),
    }
    fail_at(monkeypatch, site.media, "put_all", ValueError("a broken clip"), lambda found: where == "media")
    if where != "media":
        fail_at(monkeypatch, site.watch, "record", ValueError("a defect"), lambda found: False)
        fail_at(monkeypatch, site.store, "write", ValueError("a defect"), contains_pill)
    good = [event("st1") for _ in range(9)]
    site.take([*good[:4], pills[where], *good[4:]])
    assert {one.event_id for one in good} == site.stored
    assert [(one.reason, one.station) for one in site.casebook.quarantined()] == [("error", PILL)]


def test_a_flood_of_failing_messages_of_one_station_stops_no_other(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    fail_at(monkeypatch, site.rules, "evaluate", OverflowError("too far"), contains_pill)
    bad, good = batch(100, 30)
    site.source.put(bad[:60])  # nothing else arrives: that all messages fail may be the fault of the server
    eventually(lambda: "every event message fails with OverflowError: too far" in site.pipeline.problem)
    site.source.put([*bad[60:], *good])
    eventually(lambda: len(site.source.acknowledged) == 130, "an honest message shows whose fault it is")
    assert {one.event_id for one in good} <= site.stored
    assert site.casebook.totals().quarantined == 100
    assert site.pipeline.problem == ""


def test_where_every_message_fails_hardly_any_is_set_aside_and_none_acknowledged_until_it_ends(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        fail_at(broken, site.rules, "evaluate", AttributeError("a defect of ours"), lambda found: True)
        records = [event(f"st{number % 4}") for number in range(200)]  # several whole batches
        site.source.put(records)
        eventually(lambda: "every event message fails with AttributeError" in site.pipeline.problem)
        site.source.put([msgspec.structs.replace(HEALTH, station="st1")])  # of another kind, which works
        eventually(lambda: len(site.source.acknowledged) == 1)
        eventually(lambda: site.metrics.parked._value.get() == 0 or site.pipeline.problem)
        assert site.casebook.totals().quarantined <= 2
        assert len(site.source.acknowledged) == 1
    eventually(lambda: len(site.source.acknowledged) == 201, "everything is processed when the defect is mended")
    assert {one.event_id for one in records} == site.stored
    assert site.casebook.totals().flags == 200
    assert site.casebook.totals().quarantined <= 2
    assert site.pipeline.problem == ""


@pytest.mark.parametrize(
    "error",
    [StoreUnavailable("away"), OSError(28, "No space left on device"), ConnectionResetError(104, "reset")],
    ids=lambda error: type(error).__name__,
)
def test_a_temporary_failure_is_retried_and_never_set_aside(
    site: Site, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    failures = [error] * 5
    method = site.store.write

    def write(records: Any) -> Any:
        if failures:
            raise failures.pop()
        return method(records)

    monkeypatch.setattr(site.store, "write", write)
    records = [event("st1") for _ in range(10)]
    site.take(records)
    assert {one.event_id for one in records} == site.stored
    assert (site.casebook.totals().quarantined, failures) == (0, [])


def test_a_database_that_rejects_one_value_costs_the_one_message(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both databases raise their own exceptions for it; a retry cannot help."""
    method = site.store.write

    def write(records: Sequence[Any]) -> Any:
        if contains_pill(list(records)):
            with site.store._transaction() as connection:
                connection.execute("SELECT CAST('x' AS INTEGER)")
        return method(records)

    monkeypatch.setattr(site.store, "write", write)
    bad, good = batch(1, 20)
    site.take([*good[:3], *bad, *good[3:]])
    assert {one.event_id for one in good} == site.stored
    (item,) = site.casebook.quarantined()
    assert "ContentRejected" in item.detail


def test_an_earlier_shot_that_breaks_corroboration_costs_no_later_message(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_at(monkeypatch, site.shots, "add", ZeroDivisionError("at a stored shot"), lambda found: True)
    records = [event("st1") for _ in range(5)]
    site.take(records)
    assert {one.event_id for one in records} == site.stored
    assert (site.casebook.totals().quarantined, site.casebook.totals().flags) == (0, 5)
    assert site.supervisor.restarts["corroboration"] == 5
    assert "corroboration failed" in site.supervisor.problem


def test_a_defect_while_acknowledging_restarts_the_thread_and_the_batch_is_acknowledged_then(site: Site) -> None:
    site.source.refuse_acknowledging = 3
    records = [event("st1") for _ in range(5)]
    site.take(records)
    assert site.supervisor.restarts["intake-1"] == 3
    eventually(lambda: site.supervisor.problem == "")
    assert site.casebook.totals().flags == 5


def test_quarantining_that_fails_at_first_loses_nothing(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    fail_at(monkeypatch, site.rules, "evaluate", OverflowError("too far"), contains_pill)
    failures, method = [ValueError("a defect")] * 2, site.casebook.quarantine

    def quarantine(*items: Any) -> int:
        if failures:
            raise failures.pop()
        return method(*items)

    monkeypatch.setattr(site.casebook, "quarantine", quarantine)
    bad, good = batch(1, 10)
    site.take([*good, *bad])
    assert {one.event_id for one in good} <= site.stored
    assert site.casebook.totals().quarantined == 1


def test_a_stored_shot_at_which_corroboration_fails_is_left_out_and_the_others_are_joined(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(shots: Sequence[Shot], options: Any) -> Any:
        if any(one.station == "thief" for one in shots):
            raise ZeroDivisionError("at a stored shot")
        return corroborate(shots, options)

    monkeypatch.setattr(shot_repository, "corroborate", failing)
    shots = [shot("thief"), shot("st1"), shot("st2")]
    for one in shots:
        site.take([one])
    joined = site.shots.add([shots[1]])
    assert {station for one in joined.heard.values() for heard in one.values() for station in heard.stations} == {
        "st1",
        "st2",
    }
    assert site.casebook.totals().quarantined == 0


def shot(station: str) -> Event:
    detection = msgspec.structs.replace(SOUND_EVENT.detections[0], label="gunshot", observation_type="unknown")
    clock = msgspec.structs.replace(EVENT.clock, error_s=0.1)
    return msgspec.structs.replace(
        SOUND_EVENT,
        event_id=new_event_id(),
        station=station,
        detections=(detection,),
        clock=clock,
        location=EVENT.location,
        captured_at=datetime(2026, 4, 12, 5, 41, 7, tzinfo=UTC),
    )
