"""From messages to incidents: shots of several stations, stations that fall silent or blind, what comes late."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import select

from casebook.casebook import Casebook
from casebook.incidents.alert_policy import AlertPolicy
from casebook.incidents.database import Database
from casebook.incidents.occurrence import IncidentOptions
from casebook.incidents.repository import Alert, IncidentRepository
from casebook.incidents.shot_repository import ShotRepository
from casebook.incidents.station_rules import StationRule
from casebook.incidents.station_watch import StationWatch
from casebook.incidents.tables import incident, occurrence
from contract import Clock, Detection, Effort, Event, Location, Span, encode, new_event_id, topic_of
from contract.errors import StoreUnavailable
from contract.examples import DEPLOYMENT, EFFORT, EVENT, HEALTH, SOUND_EVENT, STATUS
from contract.messages import Gap
from contract.supervision import Supervisor
from ingest.intake import Intake
from ingest.media.folder import FolderMedia
from ingest.receive.batch import ReceivedMessage, read_batch
from ingest.rules.incident_service import IncidentService
from ingest.rules.rule_set import Rule, RuleSet, RulesOptions
from ingest.station_watch_loop import StationWatchLoop
from ingest.store.duckdb.store import DuckDbStore
from tests.effort_messages import effort_of
from tests.eventually import eventually
from tests.keeping import keep

NOW = datetime(2026, 4, 12, 1, 0, tzinfo=UTC)
SILENT = StationRule(name="silent", state="silent", after_minutes=60)
BLIND = StationRule(name="blind", state="blind", after_minutes=90, severity="urgent")
RULES = RulesOptions(
    rule=(
        Rule(name="person", observation_types=("human",)),
        Rule(name="shot", labels=("gunshot",), min_confidence=0.8, severity="urgent"),
    )
)


class Desk:
    """A server's intake with real stores, and what it told people."""

    def __init__(self, folder: Path, casebook_url: str) -> None:
        self.store = DuckDbStore(folder / "detections.duckdb")
        self.casebook = Casebook(casebook_url)
        self.database = Database(self.casebook.engine)
        options, rules = IncidentOptions(), RuleSet(RULES, ())
        self.alerts: list[Alert] = []
        self.desk = IncidentService(
            rules,
            self.store,
            IncidentRepository(self.database, options, AlertPolicy()),
            ShotRepository(self.database, options.corroboration),
            StationWatch(self.database, (SILENT, BLIND), options),
            options,
            self.alerts.extend,
        )
        self.intake = Intake(self.store, self.casebook, FolderMedia(folder / "media"), rules, self.desk)

    def receive(self, *records: Event | Effort, at: datetime = NOW) -> None:
        kinds = {Event: "event", Effort: "effort"}
        keep(self.intake, read_batch([self.arrived(kinds[type(one)], one.station, encode(one), at) for one in records]))

    @staticmethod
    def arrived(kind: str, station: str, payload: bytes, at: datetime) -> ReceivedMessage:
        return ReceivedMessage(topic_of("wildpost", station, kind), payload, at)  # type: ignore[arg-type]

    def check_stations(self, minutes: float, listening_since: datetime = NOW) -> list[str]:
        """What people are told when the clock has gone on."""
        before = len(self.alerts)
        self.desk.check_stations(NOW + timedelta(minutes=minutes), listening_since)
        return [one.kind for one in self.alerts[before:]]

    def rows(self, table: object) -> list[dict[str, object]]:
        with self.database.begin() as connection:
            return [dict(row) for row in connection.execute(select(table)).mappings()]  # type: ignore[call-overload]


@pytest.fixture
def desk(tmp_path: Path, casebook_url: str) -> Iterator[Desk]:
    opened = Desk(tmp_path, casebook_url)
    yield opened
    opened.store.close()
    opened.casebook.close()


def shot(station: str, second: float, confidence: float, latitude: float = 31.0) -> Event:
    return msgspec.structs.replace(
        SOUND_EVENT,
        event_id=new_event_id(),
        station=station,
        captured_at=NOW + timedelta(seconds=second),
        clock=Clock(source="gps", synchronised=True, error_s=0.05),
        location=Location(latitude=latitude, longitude=117.3),
        duration_s=1.0,
        detections=(
            Detection(
                ordinal=0,
                label="gunshot",
                observation_type="unknown",
                confidence=confidence,
                model=SOUND_EVENT.models[0].name,
                span=Span(start_s=0.0, end_s=1.0),
            ),
        ),
    )


def person(minute: float, station: str = "lake-07") -> Event:
    return msgspec.structs.replace(
        EVENT, event_id=new_event_id(), station=station, captured_at=NOW + timedelta(minutes=minute)
    )


def test_two_doubtful_shots_that_fit_together_are_one_sure_incident(desk: Desk) -> None:
    first, second = shot("ridge-1", 0, 0.6), shot("ridge-2", 9, 0.7, latitude=31.03)  # 3.3 km: sound needs 10 s
    desk.receive(first)
    assert desk.alerts == []
    desk.receive(second, at=NOW + timedelta(seconds=12))
    assert [(one.kind, one.cause) for one in desk.alerts] == [("gunshot", "first")]
    (one,) = desk.rows(incident)
    assert one["confidence"] == pytest.approx(0.88)
    flags = desk.casebook.flags_of([first.event_id, second.event_id])
    assert {flag.reason_values["stations"] for found in flags.values() for flag in found} == {"2"}
    assert len(flags) == 2


def test_a_sure_shot_alerts_at_once_and_is_surer_when_another_station_has_heard_it(desk: Desk) -> None:
    desk.receive(shot("ridge-1", 0, 0.9))
    assert len(desk.alerts) == 1
    desk.receive(shot("ridge-2", 1, 0.5, latitude=31.003))
    assert len(desk.alerts) == 1
    (one,) = desk.rows(incident)
    assert one["confidence"] == pytest.approx(0.95)


def test_shots_that_cannot_be_one_stay_two(desk: Desk) -> None:
    desk.receive(shot("ridge-1", 0, 0.6), shot("ridge-2", 30, 0.7, latitude=31.003))
    assert desk.alerts == []
    assert desk.casebook.flags(open_only=False) == []


def test_a_batch_that_comes_again_changes_nothing(desk: Desk) -> None:
    batch = [person(0), shot("lake-07", 20, 0.9), shot("ridge-2", 21, 0.9, latitude=31.003)]
    desk.receive(*batch)
    kept = desk.rows(incident), desk.rows(occurrence), list(desk.alerts)
    desk.receive(*batch, at=NOW + timedelta(hours=5))
    assert (desk.rows(incident), desk.rows(occurrence), desk.alerts) == kept
    assert [one.kind for one in desk.alerts] == ["human", "gunshot"]


def test_what_comes_days_late_is_there_and_late_and_alerts_nobody(desk: Desk) -> None:
    desk.receive(person(0), at=NOW + timedelta(days=3))
    assert desk.alerts == []
    (one,) = desk.rows(incident)
    assert one["late"] is True
    assert len(desk.casebook.flags()) == 1


def test_a_person_on_a_card_alerts_soon_after_the_import_and_its_station_is_not_watched(desk: Desk) -> None:
    later = NOW + timedelta(days=30)
    imported = msgspec.structs.replace(person(0), imported_at=later - timedelta(minutes=5))
    effort = msgspec.structs.replace(EFFORT, station="lake-07", imported_at=later)
    desk.receive(imported, effort, at=later)
    assert [one.kind for one in desk.alerts] == ["human"]
    assert desk.rows(incident)[0]["started_at"] == NOW
    assert desk.check_stations(60 * 24 * 40) == []
    desk.receive(msgspec.structs.replace(person(0), imported_at=later), at=later + timedelta(days=1))
    assert len(desk.alerts) == 1


@pytest.mark.parametrize("year", [2, 1970, 9998])
def test_a_capture_without_a_clock_is_news_whatever_its_date(desk: Desk, year: int) -> None:
    clockless = msgspec.structs.replace(
        person(0), captured_at=datetime(year, 1, 1, 12, tzinfo=UTC), clock=Clock(source="none", synchronised=False)
    )
    desk.receive(clockless)
    assert len(desk.alerts) == 1
    assert desk.rows(incident)[0]["started_at"] == NOW


def test_a_station_of_which_nothing_is_heard_is_silent_once_until_it_is_heard_again(desk: Desk) -> None:
    desk.receive(person(-30))
    desk.alerts.clear()
    assert desk.check_stations(59) == []
    assert desk.check_stations(61) == ["silent"]
    assert desk.check_stations(62) == []
    found = [row for row in desk.rows(occurrence) if row["source"] == "health"]
    assert [row["over_at"] for row in found] == [None]
    keep(desk.intake, read_batch([desk.arrived("health", HEALTH.station, encode(HEALTH), NOW + timedelta(minutes=70))]))
    assert HEALTH.station == "lake-07"
    assert desk.check_stations(71) == []
    found = [row for row in desk.rows(occurrence) if row["source"] == "health"]
    assert [row["over_at"] for row in found] == [NOW + timedelta(minutes=70)]
    assert desk.check_stations(131) == ["silent"]


def test_a_deployment_reaches_the_store_and_shows_that_its_station_is_there(desk: Desk) -> None:
    desk.receive(person(-30))
    desk.alerts.clear()
    later = NOW + timedelta(minutes=50)
    message = desk.arrived("deployment", DEPLOYMENT.station, encode(DEPLOYMENT), later)
    result = keep(desk.intake, read_batch([message, message]))
    assert (result.stored, result.repeated, result.quarantined) == (1, 1, 0)
    assert desk.store.deployments() == [DEPLOYMENT]
    assert desk.check_stations(61) == []
    assert desk.check_stations(111) == ["silent"]


def test_a_server_that_was_away_does_not_call_its_stations_silent(desk: Desk) -> None:
    desk.receive(person(0))
    desk.alerts.clear()
    back = NOW + timedelta(minutes=300)
    assert desk.check_stations(330, back) == []
    assert desk.check_stations(361, back) == ["silent"]


def test_what_the_broker_says_in_a_stations_name_is_no_word_of_it(desk: Desk) -> None:
    desk.receive(person(0, STATUS.station))
    desk.alerts.clear()
    keep(desk.intake, read_batch([desk.arrived("status", STATUS.station, encode(STATUS), NOW + timedelta(minutes=50))]))
    assert desk.check_stations(61) == ["silent"]


def test_a_camera_that_is_stolen_after_it_saw_someone_is_one_incident(desk: Desk) -> None:
    desk.receive(person(0))
    assert desk.check_stations(61) == ["silent"]
    assert len(desk.rows(incident)) == 1
    assert [one.cause for one in desk.alerts] == ["first", "kind"]


def effort(start_minute: float, end_minute: float, gap: Gap | None) -> Effort:
    return effort_of(NOW + timedelta(minutes=start_minute), NOW + timedelta(minutes=end_minute), gap)


def test_a_camera_that_cannot_see_for_long_enough_is_blind_until_it_sees_again(desk: Desk) -> None:
    desk.receive(effort(-60, 0, "blind"))
    assert desk.check_stations(1) == []
    desk.receive(effort(0, 60, "blind"), at=NOW + timedelta(minutes=60))
    assert desk.check_stations(61, NOW + timedelta(minutes=60)) == ["blind"]
    desk.receive(effort(60, 120, None), at=NOW + timedelta(minutes=120))
    desk.check_stations(121, NOW + timedelta(minutes=120))
    assert [row["over_at"] for row in desk.rows(occurrence)] == [NOW + timedelta(minutes=121)]
    desk.receive(effort(0, 60, "blind"), at=NOW + timedelta(minutes=122))  # comes again, out of its turn
    assert desk.check_stations(123, NOW + timedelta(minutes=120)) == []


def test_a_sensor_that_was_switched_off_is_not_blind(desk: Desk) -> None:
    desk.receive(effort(-600, 0, "off"))
    assert desk.check_stations(1) == []


def test_the_clock_is_looked_at_only_while_stations_can_be_heard() -> None:
    seen: list[tuple[datetime, datetime]] = []
    moments = iter(NOW + timedelta(minutes=minute) for minute in range(10))
    up = True
    loop = StationWatchLoop(lambda now, since: seen.append((now, since)), lambda: up, now=lambda: next(moments))
    loop.run_once()
    loop.run_once()
    up = False
    loop.run_once()
    up = True
    loop.run_once()
    minutes = [tuple(round((moment - NOW).total_seconds() / 60) for moment in pair) for pair in seen]
    assert minutes == [(0, 0), (1, 0), (3, 3)]


def test_a_casebook_that_does_not_answer_stops_no_watch() -> None:
    def fail(now: datetime, since: datetime) -> None:
        raise StoreUnavailable("away")

    loop = StationWatchLoop(fail, lambda: True, every_s=0.01)
    loop.start()
    eventually(lambda: "away" in loop.problem)
    loop.stop()


def test_a_defect_at_one_check_stops_no_later_one_and_is_shown() -> None:
    supervisor, checks = Supervisor(), list[datetime]()

    def check(now: datetime, since: datetime) -> None:
        checks.append(now)
        if len(checks) < 3:
            raise KeyError("a defect")

    loop = StationWatchLoop(check, lambda: True, every_s=0.01, supervisor=supervisor)
    loop.start()
    eventually(lambda: len(checks) > 3)
    loop.stop()
    assert (supervisor.restarts["station-watch"], supervisor.problem) == (2, "")


def test_a_station_is_found_silent_though_the_servers_clock_was_years_ahead_when_it_was_heard(desk: Desk) -> None:
    desk.receive(EVENT, at=NOW + timedelta(days=3_000))
    assert desk.check_stations(0) == []
    assert desk.check_stations(61) == ["silent"]


def test_a_blind_sensor_is_found_though_an_effort_record_of_2099_came_first(desk: Desk) -> None:
    future = datetime(2099, 1, 1, tzinfo=UTC)
    watching = effort_of(future, future + timedelta(hours=1))
    desk.receive(watching, at=NOW - timedelta(hours=3))
    desk.receive(effort_of(NOW - timedelta(hours=2), NOW, "blind"))
    assert desk.check_stations(1) == ["blind"]


def test_a_simulated_person_joins_no_incident_of_a_real_one_nearby(desk: Desk) -> None:
    real = msgspec.structs.replace(EVENT, event_id=new_event_id(), captured_at=NOW)
    simulated = msgspec.structs.replace(real, event_id=new_event_id(), station="sim-001", simulated=True)
    neighbour = msgspec.structs.replace(real, event_id=new_event_id(), station="lake-08")
    desk.receive(simulated)
    desk.receive(real, neighbour)
    assert [one.station for one in desk.alerts] == ["sim-001", "lake-07"]  # the neighbour is of the second incident
    by_station = {row["station"]: row["incident_id"] for row in desk.rows(occurrence)}
    assert by_station["lake-08"] == by_station["lake-07"] != by_station["sim-001"]
