"""The pages of an incident with thousands of captures show it in parts."""

import re
from datetime import datetime, timedelta

from casebook.incidents.alert_policy import AlertPolicy
from casebook.incidents.database import Database
from casebook.incidents.occurrence import IncidentOptions, Occurrence
from casebook.incidents.repository import IncidentRepository
from tests.unit.review.test_answers import NOON, Pages, pages

__all__ = ["pages"]


def occurred(subject: str, at: datetime) -> Occurrence:
    return Occurrence(
        subject, "human", "vision", "ridge-07", at, at, None, "warning", 0.9, ({"label": "person"},), ("r",)
    )


def test_an_incident_of_thousands_of_captures_is_shown_fifty_at_a_time(pages: Pages) -> None:
    events = [pages.capture(minutes=number // 20) for number in range(60)]
    occurrences = [occurred(event.event_id, event.captured_at) for event in events]
    occurrences += [occurred(f"later-{n:04}", NOON + timedelta(minutes=4, milliseconds=n)) for n in range(3_000)]
    book = IncidentRepository(Database(pages.casebook.engine), IncidentOptions(), AlertPolicy())
    book.record(occurrences)
    listed = pages.client.get("/incidents?show=all&lang=en").text
    assert len(listed) < 20_000
    assert "captures: 3060" in listed
    address = re.findall(r"/incidents/[0-9a-f-]{36}", listed)[0]
    first = pages.client.get(address).text
    assert first.count("<tr>") == 3 + 50  # two headings and one alert
    assert len(pages.shown(address)) == 50
    assert "Occurrences in this incident: 3060" in first
    following = re.findall(r'href="(/incidents/[^"]*after=[^"]*)"', first)[0].replace("&amp;", "&")
    assert len(pages.shown(following)) == 10
    second = pages.client.get(following).text
    assert "First occurrences" in second
    assert not set(pages.shown(address)) & set(pages.shown(following))


def test_an_incident_of_few_captures_has_no_further_pages(pages: Pages) -> None:
    event = pages.capture()
    book = IncidentRepository(Database(pages.casebook.engine), IncidentOptions(), AlertPolicy())
    (alert,) = book.record([occurred(event.event_id, event.captured_at)])
    page = pages.client.get(f"/incidents/{alert.incident_id}?lang=en").text
    assert "Occurrences in this incident" not in page
    assert pages.client.get(f"/incidents/{alert.incident_id}?after=nonsense~x").status_code == 200
