"""Pages and addresses of cases: what they record, show and refuse."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import update

from casebook.cases.entry import Change
from casebook.cases.repository import Cases
from casebook.cases.tables import case_entry, case_event
from casebook.incidents.alert_policy import AlertPolicy
from casebook.incidents.database import Database
from casebook.incidents.occurrence import IncidentOptions
from casebook.incidents.repository import IncidentRepository
from contract import Event
from tests.unit.review.test_answers import Pages, pages
from tests.unit.review.test_incident_page import occurred

__all__ = ["pages"]

BROWSER = {"accept": "text/html", "accept-language": "en"}


def cases_of(pages: Pages) -> Cases:
    return Cases(Database(pages.casebook.engine))


def post(pages: Pages, address: str, by: str = "Li", **fields: str) -> httpx.Response:
    headers = pages.ours | BROWSER | {"cookie": f"reviewer={by}"}
    return pages.client.post(address, data=fields, headers=headers)


def opened(pages: Pages, **fields: str) -> str:
    answer = post(pages, "/cases", **{"kind": "hunting", "title": "Ridge", **fields})
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


def step(pages: Pages, address: str, name: str, by: str = "Li", **fields: str) -> httpx.Response:
    seen = re.findall(r'name="seen" value="(\d+)"', pages.client.get(address, headers=BROWSER).text)[0]
    return post(pages, f"{address}/steps", by, **{"step": name, "seen": seen, **fields})


def send(pages: Pages, address: str, body: Mapping[str, Any]) -> httpx.Response:
    return pages.client.post(address, json=body, headers=pages.ours)


def incident_of(pages: Pages, *events: Event) -> str:
    book = IncidentRepository(Database(pages.casebook.engine), IncidentOptions(), AlertPolicy())
    occurrences = [occurred(one.event_id, one.captured_at) for one in events]
    return book.record(occurrences)[0].incident_id


def test_a_case_is_opened_from_a_capture_and_found_again_from_it(pages: Pages) -> None:
    event = pages.capture(found=("person",))
    page = pages.client.get(f"/events/{event.event_id}", headers=BROWSER).text
    form = re.findall(r'href="(/cases/new\?[^"]*)"', page)[0]
    assert 'value="ridge-07 person"' in pages.client.get(form, headers=BROWSER).text
    address = opened(pages, event=event.event_id)
    shown = pages.client.get(address, headers=BROWSER).text
    assert f"/events/{event.event_id}" in shown and "not known whether the equipment was reviewed" in shown
    assert address in pages.client.get(f"/events/{event.event_id}", headers=BROWSER).text
    assert address in pages.client.get(form, headers=BROWSER).text, "the form says that there is a case"


def test_a_case_of_an_incident_has_its_captures(pages: Pages) -> None:
    events = [pages.capture(minutes=number, found=("person",)) for number in range(3)]
    incident = incident_of(pages, *events)
    assert f"/cases/new?incident={incident}" in pages.client.get(f"/incidents/{incident}", headers=BROWSER).text
    address = opened(pages, incident=incident)
    held = cases_of(pages).events_of(address.rpartition("/")[2])
    assert {one.event.event_id for one in held} == {event.event_id for event in events}
    assert address in pages.client.get(f"/incidents/{incident}", headers=BROWSER).text


def test_records_are_added_to_an_open_case(pages: Pages) -> None:
    first, second = pages.capture(), pages.capture(minutes=1)
    address = opened(pages, event=first.event_id)
    number = address.rpartition("/")[2]
    assert number in pages.client.get(f"/cases/new?event={second.event_id}", headers=BROWSER).text
    assert post(pages, "/cases/records", number=number, event=second.event_id).headers["location"] == address
    again = post(pages, "/cases/records", number=number, event=second.event_id)
    assert again.status_code == 422 and "belong to the case already" in again.text
    assert post(pages, "/cases/records", number="2026-LA-9999", event=second.event_id).status_code == 404


def test_a_case_goes_through_its_steps_by_forms(pages: Pages) -> None:
    address = opened(pages, area="北片", text="seen at night")
    fields: dict[str, dict[str, str]] = {
        "acknowledged": {},
        "assigned": {"team": "North 2"},
        "on_site": {"text": "two officers"},
        "finding": {"tool0": "net", "tool0_count": "3", "tool2": "trap", "animal0": "画眉", "animal0_alive": "2"}
        | {"animal0_released": "2", "persons": "2", "vehicles": "0"},
        "outcome": {"outcome": "administrative"},
        "closed": {},
    }
    for name, values in fields.items():
        assert step(pages, address, name, **values).status_code == 303, name
    page = pages.client.get(address, headers=BROWSER).text
    for text in ("North 2", "net × 3, trap × 1", "画眉: 2 alive, 2 released", "Administrative penalty", "chain whole"):
        assert text in page
    assert address in pages.client.get("/cases?show=closed", headers=BROWSER).text
    assert address not in pages.client.get("/cases", headers=BROWSER).text


@pytest.mark.parametrize(
    ("name", "fields", "said"),
    [
        ("closed", {}, "A case is closed with an outcome only"),
        ("outcome", {}, "A case is closed with an outcome only"),
        ("assigned", {"team": " "}, "Enter who is assigned"),
        ("finding", {}, "Enter what was found"),
        ("finding", {"tool0": "net", "tool0_count": "-1"}, "a whole number"),
        ("finding", {"animal0": "fox", "animal0_dead": "９９９９９９９"}, "a whole number"),
        ("finding", {"tool0_count": "2"}, "missing or too long"),
        ("finding", {"persons": "1000001"}, "a whole number"),
        ("comment", {}, "Enter a text"),
        ("on_site", {"text": "x" * 4001}, "missing or too long"),
        ("reopened", {}, "not closed"),
    ],
)
def test_a_form_that_lacks_something_says_what_and_keeps_what_was_typed(
    pages: Pages, name: str, fields: dict[str, str], said: str
) -> None:
    address = opened(pages)
    answer = step(pages, address, name, **fields)
    assert answer.status_code == 422
    assert said in answer.text
    for value in fields.values():
        assert not value.strip() or f'value="{value}"' in answer.text or value in answer.text
    assert len(cases_of(pages).entries(address.rpartition("/")[2])) == 2, "the opening and the view"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"step": "viewed", "seen": "1"}, 422),
        ({"step": "exported", "seen": "1"}, 422),
        ({"step": "opened", "seen": "1"}, 422),
        ({"step": "burned", "seen": "1"}, 422),
        ({"step": "acknowledged"}, 422),
        ({"step": "acknowledged", "seen": "x"}, 422),
        ({"step": "acknowledged", "seen": "9" * 400}, 422),
        ({"step": "outcome", "outcome": "shot", "seen": "1"}, 422),
        ({"step": "acknowledged", "seen": "0"}, 409),
        ({"step": "acknowledged", "seen": "1"}, 303),
    ],
)
def test_only_steps_that_exist_are_taken(pages: Pages, fields: dict[str, str], code: int) -> None:
    assert post(pages, f"{opened(pages)}/steps", **fields).status_code == code


def test_two_people_at_once_see_what_the_other_did(pages: Pages) -> None:
    address = opened(pages)
    seen = {"seen": "1"}
    assert post(pages, f"{address}/steps", "Wang", step="assigned", team="North", **seen).status_code == 303
    answer = post(pages, f"{address}/steps", "Zhou", step="assigned", team="South", **seen)
    assert answer.status_code == 409
    assert "Somebody else has changed the case" in answer.text and "Wang" in answer.text
    assert 'value="South"' in answer.text, "what was typed is kept"
    assert post(pages, f"{address}/steps", "Zhou", step="comment", text="I was there too", **seen).status_code == 303
    again = re.findall(r'name="seen" value="(\d+)"', answer.text)[0]
    assert post(pages, f"{address}/steps", "Zhou", step="on_site", seen=again).status_code == 409, "the comment is new"


def test_who_looks_at_a_case_is_in_its_custody_log_once(pages: Pages) -> None:
    address = opened(pages)
    for by in ("Chen", "Chen", "Zhou"):
        assert pages.client.get(address, headers=BROWSER | {"cookie": f"reviewer={by}"}).status_code == 200
    pages.client.get(f"/api{address}", headers={"cookie": "reviewer=Bot"})
    entries = cases_of(pages).entries(address.rpartition("/")[2])
    assert [(one.step, one.actor) for one in entries[1:]] == [("viewed", "Chen"), ("viewed", "Zhou"), ("viewed", "Bot")]


def test_an_altered_entry_is_shown(pages: Pages) -> None:
    address = opened(pages)
    step(pages, address, "acknowledged", text="one")
    step(pages, address, "on_site")
    with pages.casebook.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE case_entry SET encoded = replace(encoded, 'one', 'two')")
    page = pages.client.get(address, headers=BROWSER)
    assert page.status_code == 200 and "Chain broken" in page.text


def test_a_long_custody_log_is_listed_in_part(pages: Pages) -> None:
    address = opened(pages)
    cases = cases_of(pages)
    for index in range(220):
        cases.add(address.rpartition("/")[2], Change(step="comment", text=f"note {index}."), "Li", datetime.now(UTC))
    page = pages.client.get(address, headers=BROWSER).text
    assert "note 219." in page and "note 1." not in page
    assert "chain whole, entries: 222" in page and "The newest 200 entries" in page


def test_overdue_cases_come_first_in_the_list(pages: Pages) -> None:
    cases, now = cases_of(pages), datetime.now(UTC)
    numbers = []
    for days in (1, 95, 85):
        change = Change(step="opened", kind="tools", title=f"{days} days")
        numbers.append(cases.open(change, [], "Li", now - timedelta(days=days), 2026).number)
    page = pages.client.get("/cases", headers=BROWSER).text
    order = list(dict.fromkeys(re.findall(r'href="/cases/(2026-LA-\d+)"', page)))
    assert order == [numbers[1], numbers[2], numbers[0]]
    assert "overdue by 5 days" in page
    assert page.count('class="badge warn"') == 1, "one ends within ten days"


def test_a_long_list_has_further_pages(pages: Pages) -> None:
    cases, now = cases_of(pages), datetime.now(UTC)
    numbers = [
        cases.open(Change(step="opened", kind="other"), [], "Li", now + timedelta(seconds=index), 2026).number
        for index in range(33)
    ]
    first = pages.client.get("/cases", headers=BROWSER).text
    following = re.findall(r'href="(/cases\?[^"]*after=[^"]*)"', first)[0].replace("&amp;", "&")
    second = pages.client.get(following, headers=BROWSER).text
    assert [re.findall(r'href="/cases/(2026-LA-\d+)"', page) for page in (first, second)] == [
        numbers[:30],
        numbers[30:],
    ]


@pytest.mark.parametrize("address", ["/cases/2026-LA-0001", "/cases/none", "/cases/%27%22", "/api/cases/2026-LA-0001"])
def test_a_case_that_does_not_exist_is_not_found(pages: Pages, address: str) -> None:
    assert pages.client.get(address, headers=BROWSER).status_code == 404


@pytest.mark.parametrize("stored", ["no JSON", "{}", "[" * 5000, '{"step": "burned"}'])
def test_a_case_with_an_entry_that_cannot_be_read_is_shown_and_refuses_steps(pages: Pages, stored: str) -> None:
    address = opened(pages)
    assert step(pages, address, "acknowledged").status_code == 303
    with pages.casebook.engine.begin() as connection:
        connection.execute(update(case_entry).where(case_entry.c.step == "acknowledged").values(encoded=stored))
    shown = pages.client.get(address, headers=BROWSER)
    assert shown.status_code == 200 and "Chain broken" in shown.text and "entry 3 cannot be read" in shown.text
    found = pages.client.get(f"/api{address}").json()
    assert found["problem"].startswith("entry 3 cannot be read")
    assert [one["step"] for one in found["entries"]] == ["opened", "viewed"]
    refused = step(pages, address, "on_site")
    assert refused.status_code == 422 and "cannot be read, so nothing can be added" in refused.text
    assert send(pages, f"/api{address}/steps", {"step": "on_site"}).json()["reason"] == "unreadable"


def test_a_case_with_a_capture_that_cannot_be_read_is_shown(pages: Pages) -> None:
    first, second = pages.capture(), pages.capture(minutes=1)
    address = opened(pages, event=first.event_id)
    assert post(pages, f"{address}/records", event=second.event_id).status_code == 303
    with pages.casebook.engine.begin() as connection:
        mine = update(case_event).where(case_event.c.event_id == first.event_id)
        connection.execute(mine.values(payload="{}", deployment="no JSON"))
        connection.execute(update(case_event).where(case_event.c.event_id == second.event_id).values(deployment="{}"))
    shown = pages.client.get(address, headers=BROWSER)
    assert shown.status_code == 200 and "a linked capture cannot be read" in shown.text
    found = pages.client.get(f"/api{address}").json()
    assert found["events"] == [second.event_id] and found["problem"].startswith("a linked capture cannot be read")


def test_hostile_texts_are_shown_as_text(pages: Pages) -> None:
    hostile = '"><script>alert(1)</script>'
    address = opened(pages, title=hostile, area=hostile, text=hostile)
    step(pages, address, "assigned", team=hostile)
    for page in (address, "/cases"):
        assert "<script>alert" not in pages.client.get(page, headers=BROWSER).text


@pytest.mark.parametrize("event", ["none", "0195d0a1-0000-7000-8000-00000000ffff"])
def test_a_case_from_a_capture_that_is_not_there_is_refused(pages: Pages, event: str) -> None:
    assert pages.client.get(f"/cases/new?event={event}", headers=BROWSER).status_code == 422
    assert post(pages, "/cases", kind="hunting", event=event).status_code == 422
    assert post(pages, "/cases", kind="hunting", incident=event).status_code == 422
    assert cases_of(pages).listing("open", 5) == []


def test_programs_open_list_read_and_continue_cases(pages: Pages) -> None:
    event = pages.capture(found=("person",))
    answer = send(pages, "/api/cases", {"kind": "tools", "title": "nets", "events": [event.event_id]})
    assert answer.status_code == 201
    number = answer.json()["number"]
    added = send(pages, f"/api/cases/{number}/steps", {"step": "assigned", "team": "North", "seen": 1})
    assert (added.status_code, added.json()["number"]) == (200, 2)
    conflict = send(pages, f"/api/cases/{number}/steps", {"step": "assigned", "team": "South", "seen": 1})
    assert (conflict.status_code, [one["team"] for one in conflict.json()["entries"]]) == (409, ["North"])
    refused = send(pages, f"/api/cases/{number}/steps", {"step": "closed"})
    assert (refused.status_code, refused.json()["reason"]) == (422, "outcome")
    found = pages.client.get(f"/api/cases/{number}").json()
    assert [one["step"] for one in found["entries"]] == ["opened", "assigned", "viewed"]
    assert (found["events"], found["deadlines"][0]["name"]) == ([event.event_id], "penalty-decision")
    listed = pages.client.get("/api/cases?limit=1").json()
    assert [one["number"] for one in listed["cases"]] == [number]
    assert pages.client.get("/api/cases", params={"after": listed["next"]}).json()["cases"] == []


@pytest.mark.parametrize(
    "body",
    [
        {"step": "viewed"},
        {"step": "burned"},
        {"step": "assigned", "team": "x" * 201},
        {"step": "finding", "finding": {"persons": -1}},
        {"step": "finding", "finding": {"tools": [{"name": "net", "count": 1}] * 51}},
        {"step": "acknowledged", "colour": "red"},
        {"step": "linked", "events": ["nowhere"]},
        {"step": "linked", "incidents": ["nowhere"]},
        [],
    ],
)
def test_what_programs_send_is_checked(pages: Pages, body: Any) -> None:
    number = send(pages, "/api/cases", {"kind": "tools"}).json()["number"]
    answer = send(pages, f"/api/cases/{number}/steps", body)
    assert answer.status_code == 422 and answer.json()["error"]
    assert len(cases_of(pages).entries(number)) == 1


def test_a_request_from_another_site_records_nothing(pages: Pages) -> None:
    address = opened(pages)
    foreign = {"origin": "https://evil.example"}
    assert (
        pages.client.post(f"{address}/steps", data={"step": "on_site", "seen": "1"}, headers=foreign).status_code == 403
    )
    assert pages.client.post("/cases", data={"kind": "hunting"}, headers=foreign).status_code == 403
