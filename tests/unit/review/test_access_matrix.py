"""Every route of the route table, for every role, at stations of its own area and of a foreign one."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import msgspec
import pytest

from casebook.access.accounts import Accounts
from casebook.access.actor import ROLES, Actor, Role
from casebook.access.audit import AuditLog
from casebook.casebook import Casebook
from casebook.cases.case_file import HeldEvent
from casebook.cases.repository import Cases
from casebook.flags import Flag
from casebook.incidents.alert_policy import AlertPolicy
from casebook.incidents.database import Database
from casebook.incidents.occurrence import IncidentOptions, Occurrence
from casebook.incidents.reader import IncidentReader
from casebook.incidents.repository import IncidentRepository
from casebook.records import MediaEntry, Quarantined
from contract import Detection, Event, Location, Media, encode, new_event_id
from contract.examples import EVENT, STATUS
from ingest.media.folder import FolderMedia
from ingest.store.duckdb.store import DuckDbStore
from ingest.store.port import Received
from review.app import ReviewApp, ReviewOptions, create_app
from review.security.access_rules import AccessRule, leaf_routes, rule_of
from tests.accounts import BY, add_account, signed_in
from tests.bombs import png_of
from tests.cases import opened_case
from tests.eventually import PATIENCE_S
from tests.unit.review.test_answers import served

OWN, FOREIGN = "ridge-07", "lake-99"
NOW = datetime.now(UTC)
BROWSER = {"accept": "text/html", "accept-language": "en"}


@dataclass
class Reserve:
    """A server with captures, incidents and files of two stations, and an account of each role for one of them."""

    client: httpx.Client
    app: ReviewApp
    casebook: Casebook
    database: Database
    found: dict[str, dict[str, str]] = field(default_factory=dict)

    def as_(self, name: str) -> httpx.Client:
        return signed_in(self.client, self.database, name)


def capture(reserve: Reserve, store: DuckDbStore, media: FolderMedia, station: str, number: int) -> None:
    """Store a flagged capture of a person, its file, an incident, a case and a quarantined message of a station."""
    data = png_of(8 + number, 8)
    sha256 = hashlib.sha256(data).hexdigest()
    person = Detection(ordinal=0, label="person", observation_type="human", confidence=0.9, model="wildpost-nano")
    thumbnail = Media(sha256=sha256, type="image/png", size=len(data), role="thumbnail")
    changes: dict[str, Any] = {"station": station, "event_id": new_event_id(), "detections": (person,)}
    changes |= {"captured_at": NOW - timedelta(hours=1 + number), "media": (thumbnail,)}
    event: Event = msgspec.structs.replace(EVENT, **changes)
    status = msgspec.structs.replace(STATUS, station=station)
    store.write([Received(event, encode(event), NOW), Received(status, encode(status), NOW)])
    media.put(data, sha256)
    entry = MediaEntry(event.event_id, sha256, "image/png", "thumbnail", len(data), station, NOW)
    reserve.casebook.add_media([entry])
    at = event.captured_at
    reserve.casebook.add_flags(
        [Flag(event.event_id, "people", "urgent", "human", NOW, {"label": "person"}, station=station, at=at)]
    )
    reserve.casebook.quarantine(
        Quarantined(f"q-{station}", "message", NOW, f"wildpost/v1/{station}/event", station, "json", "no", b"x", 1)
    )
    place = Location(latitude=31.0 + 3 * number, longitude=31.0)
    seen = Occurrence(
        event.event_id, "human", "vision", station, at, NOW, place, "urgent", 0.9, ({"label": "person"},), ("people",)
    )
    IncidentRepository(reserve.database, IncidentOptions(), AlertPolicy()).record([seen])
    incident = IncidentReader(reserve.database).incident_ids_of([event.event_id])[event.event_id]
    case = opened_case(Cases(reserve.database), HeldEvent(encode(event)))
    reserve.found[station] = {
        "event_id": event.event_id,
        "sha256": sha256,
        "incident_id": incident,
        "number": case.number,
    }


@pytest.fixture(scope="module")
def reserve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reserve]:
    folder = tmp_path_factory.mktemp("reserve")
    store = DuckDbStore(folder / "detections.duckdb")
    casebook = Casebook(f"sqlite:///{folder / 'casebook.sqlite'}")
    media = FolderMedia(folder / "media")
    app = create_app(store, casebook, media, ReviewOptions())
    database = Database(casebook.engine)
    Accounts(database).set_area("north", [OWN], BY)
    for role in ROLES:
        add_account(database, role, role, ["north"])
    add_account(database, "everywhere", "manager", display_name="Everywhere")
    with served(app) as client:
        made = Reserve(client, app, casebook, database)
        for number, station in enumerate((OWN, FOREIGN)):
            capture(made, store, media, station, number)
        yield made
    store.close()
    casebook.close()


def routes(reserve: Reserve) -> list[tuple[str, str, AccessRule]]:
    """List method, path and rule of every route."""
    listed = []
    for route in leaf_routes(reserve.app.routes):
        rule = rule_of(getattr(route, "endpoint", None))
        assert rule is not None
        listed += [(method, str(getattr(route, "path", "")), rule) for method in getattr(route, "methods", ())]
    return listed


def ask(client: httpx.Client, method: str, path: str, ids: dict[str, str]) -> httpx.Response:
    """Send the request of a route about the given capture, incident, file and case."""
    address = path.replace("{name}", "tokens.css")
    for name, value in ids.items():
        address = address.replace("{" + name + "}", value)
    event_id, number = ids["event_id"], ids["number"]
    bodies: dict[str, dict[str, Any]] = {
        "/verdicts": {"json": {"event_id": event_id, "outcome": "confirmed"}},
        "/verdicts/withdrawals": {"json": {"event_id": event_id, "sequences": [1]}},
        "/events/{event_id}/withdraw": {"data": {"sequences": "1"}},
        "/cases": {"data": {"kind": "hunting", "event": event_id}},
        "/cases/records": {"data": {"number": number, "event": event_id}},
        "/cases/{number}/steps": {"data": {"step": "comment", "text": "seen", "seen": "1"}},
        "/cases/{number}/records": {"data": {"event": event_id}},
        "/api/cases": {"json": {"kind": "hunting", "events": [event_id]}},
        "/api/cases/{number}/steps": {"json": {"step": "comment", "text": "seen"}},
    }
    body = bodies.get(path, {}) if method == "POST" else {}
    forwarded = {"x-forwarded-for": "192.0.2.1"}  # not a program on the machine itself
    return client.request(method, address, headers=BROWSER | forwarded, **body)


ENDS_SESSIONS = ("/sign-out", "/account/sign-out-everywhere")
NAMES_ONE = ("{event_id}", "{incident_id}", "{sha256}", "{number}")
LEADS_BACK = {("GET", f"/cases/{{number}}/{part}"): (303,) for part in ("steps", "records")}  # reads no case
BY_BODY = ("/verdicts", "/verdicts/withdrawals", "/cases/records")


@pytest.mark.parametrize("role", ROLES)
def test_a_role_may_use_the_routes_whose_rule_names_it_and_no_other(reserve: Reserve, role: Role) -> None:
    wrong = []
    for method, path, rule in routes(reserve):
        if path in ENDS_SESSIONS:
            continue
        with reserve.as_(role) as client:
            answer = ask(client, method, path, reserve.found[OWN])
        if not rule.public and role not in rule.roles:
            allowed = answer.status_code == 403 and "does not have the role" in answer.text
        else:
            # 404: there is no name to set where there are accounts; 415 and 422: nothing to draw, to withdraw, no name.
            allowed = answer.status_code in (200, 201, 303, 422) or (path, answer.status_code) in SPECIAL
            allowed = allowed and not answer.headers.get("location", "").startswith("/sign-in")
        if not allowed:
            wrong.append((method, path, answer.status_code))
    assert wrong == []


SPECIAL = {
    ("/reviewer", 404),
    ("/events/{event_id}/original", 404),
    ("/events/{event_id}/spectrogram-{sha256}.png", 415),
    ("/account/password", 403),
    ("/sign-in", 403),
    ("/sign-in", 429),
}


@pytest.mark.parametrize("role", ROLES)
def test_what_belongs_to_a_foreign_area_is_not_there(reserve: Reserve, role: Role) -> None:
    ids = reserve.found[FOREIGN]
    wrong: list[tuple[str, str, object]] = []
    for method, path, rule in routes(reserve):
        if role not in rule.roles or rule.public or path in ENDS_SESSIONS:
            continue
        with reserve.as_(role) as client:
            answer = ask(client, method, path, ids)
        names_one = any(name in path for name in NAMES_ONE) or path in BY_BODY
        expected = LEADS_BACK.get((method, path), (404, 422) if method == "POST" and "cases" in path else (404,))
        if names_one and answer.status_code not in expected:
            wrong.append((method, path, answer.status_code))
        # The audit log is that of the whole reserve.
        if path != "/audit" and any(word in answer.text for word in (FOREIGN, *ids.values())):
            wrong.append((method, path, "names it"))
    assert wrong == []
    assert reserve.casebook.verdict_history(ids["event_id"]) == []
    assert len(Cases(reserve.database).entries(ids["number"])) == 1


@pytest.mark.parametrize("role", ["manager", "ranger", "analyst"])
def test_filters_do_not_reach_beyond_the_area(reserve: Reserve, role: Role) -> None:
    ids = reserve.found[FOREIGN]
    with reserve.as_(role) as client:
        for address in (
            f"/api/events?station={FOREIGN}",
            f"/?station={FOREIGN}&show=urgent",
            f"/api/trends?station={FOREIGN}&days=30",
            f"/rates.csv?station={FOREIGN}&group_by=station",
            f"/trends.csv?station={FOREIGN}",
            f"/api/activity?station={FOREIGN}&taxon=person",
            f"/api/taxa?station={FOREIGN}",
            f"/api/events?after={NOW.isoformat().replace('+', '%2B')}~zzz",
        ):
            answer = client.get(address, headers=BROWSER)
            assert answer.status_code == 200, (address, answer.text)
            assert ids["event_id"] not in answer.text, address
        assert client.get(f"/api/events?station={FOREIGN}").json()["events"] == []
        counted = client.get(f"/api/trends?station={FOREIGN}&days=30").json()
        assert counted["taxa"] == [] and counted["total"]["captures"] == 0
        assert len(client.get("/api/events").json()["events"]) == 1


def test_a_case_opened_from_a_capture_of_the_area_is_seen_and_one_from_nothing_is_refused(reserve: Reserve) -> None:
    event_id = reserve.found[OWN]["event_id"]
    foreign = reserve.found[FOREIGN]["number"]
    with reserve.as_("ranger") as client:
        made = client.post("/api/cases", json={"kind": "hunting", "events": [event_id]})
        assert made.status_code == 201
        numbers = [one["number"] for one in client.get("/api/cases").json()["cases"]]
        assert made.json()["number"] in numbers and foreign not in numbers
        refused = client.post("/api/cases", json={"kind": "hunting"})
        assert (refused.status_code, refused.json()["reason"]) == (422, "records")
        beyond = client.post("/api/cases", json={"kind": "hunting", "events": [reserve.found[FOREIGN]["event_id"]]})
        assert beyond.status_code == 422
    with reserve.as_("everywhere") as client:
        assert client.post("/api/cases", json={"kind": "hunting"}).status_code == 201


def test_the_number_of_open_flags_is_that_of_the_area(reserve: Reserve) -> None:
    with reserve.as_("analyst") as own, reserve.as_("everywhere") as everywhere:
        decision = {"event_id": reserve.found[OWN]["event_id"], "outcome": "confirmed"}
        assert everywhere.post("/verdicts", json=decision).status_code == 200
        shown = [client.get("/trends", headers=BROWSER).text for client in (own, everywhere)]
    assert ['title="open flags">1<' in text for text in shown] == [False, True]


def test_without_a_session_no_route_shows_anything(reserve: Reserve) -> None:
    origin = str(reserve.client.base_url).rstrip("/")
    for method, path, rule in routes(reserve):
        if rule.public:
            continue
        with httpx.Client(base_url=origin, trust_env=False, headers={"origin": origin}, timeout=PATIENCE_S) as client:
            answer = ask(client, method, path, reserve.found[OWN])
        expected = (303, "/sign-in") if method == "GET" else (401, "")
        assert (answer.status_code, answer.headers.get("location", "").partition("?")[0]) == expected, path
        assert OWN not in answer.text


def test_an_account_sees_a_new_station_of_its_area_at_once(reserve: Reserve) -> None:
    accounts = Accounts(reserve.database)
    with reserve.as_("ranger") as client:
        try:
            accounts.set_area("north", [OWN, FOREIGN], BY)
            assert len(client.get("/api/events").json()["events"]) == 2
        finally:
            accounts.set_area("north", [OWN], BY)
        assert len(client.get("/api/events").json()["events"]) == 1


def test_decisions_have_the_account_of_their_person_and_stand_in_the_audit_log(reserve: Reserve) -> None:
    event_id = reserve.found[OWN]["event_id"]
    ids = {one.name: one.id for one in Accounts(reserve.database).all()}
    with reserve.as_("everywhere") as client:
        recorded = client.post("/verdicts", json={"event_id": event_id, "outcome": "corrected", "taxon": "dog"}).json()
        sequences = [one["sequence"] for one in recorded["verdicts"]]
        client.post("/verdicts/withdrawals", json={"event_id": event_id, "sequences": sequences})
    decision, withdrawal = reserve.casebook.verdict_history(event_id)[-2:]
    assert (decision.actor_id, decision.classified_by) == (ids["everywhere"], "Everywhere")
    assert (withdrawal.actor_id, bool(withdrawal.withdraws)) == (ids["everywhere"], True)
    entries = AuditLog(reserve.database).entries(limit=2)
    assert [(one.actor_id, one.action) for one in entries] == [
        (ids["everywhere"], "withdrew"),
        (ids["everywhere"], "decided"),
    ]
    assert event_id in entries[1].content and "corrected dog" in entries[1].content


def test_views_of_people_and_exports_stand_in_the_audit_log_before_they_are_answered(reserve: Reserve) -> None:
    ids, log = reserve.found[OWN], AuditLog(reserve.database)
    newest = log.entries(limit=1)[0].sequence
    with reserve.as_("analyst") as client:
        for address in (
            "/?show=todo",
            f"/events/{ids['event_id']}",
            f"/incidents/{ids['incident_id']}",
            f"/media/{ids['sha256']}",
            "/rates.csv?days=7",
            "/api/events?limit=1",
            "/trends",
        ):
            assert client.get(address, headers=BROWSER).status_code == 200
        assert client.get(f"/media/{ids['sha256']}", headers={"sec-fetch-dest": "image"}).status_code == 200
    entries = [one for one in log.entries() if one.sequence > newest]
    assert [(one.action, one.content) for one in reversed(entries) if one.action != "signed in"] == [
        ("viewed", f"queue: {ids['event_id']}"),
        ("viewed", f"capture: {ids['event_id']}"),
        ("viewed", f"incident {ids['incident_id']}: {ids['event_id']}"),
        ("viewed", f"file {ids['sha256']}"),
        ("exported", "/rates.csv?days=7"),
        ("exported", "/api/events?limit=1"),
    ]


def test_administrators_read_the_audit_log_page_by_page(reserve: Reserve) -> None:
    log = AuditLog(reserve.database)
    for number in range(120):
        log.append(Actor("x", "<b>Wang</b>", "unit"), "exported", f"/x?{number}")
    with reserve.as_("administrator") as client:
        page = client.get("/audit", headers=BROWSER).text
        assert "&lt;b&gt;Wang" in page and "<b>Wang" not in page
        older = page.partition('href="/audit?before=')[2].partition('"')[0]
        assert "/x?10<" in client.get(f"/audit?before={older}", headers=BROWSER).text
        for wrong in ("²", "-1", "9" * 30, "x"):
            assert client.get("/audit", params={"before": wrong}, headers=BROWSER).status_code == 200
