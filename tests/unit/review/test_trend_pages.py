"""Trends and activity over HTTP: pages, JSON, CSV, the description, and limits."""

import csv
import io
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from contract import Effort, Event, encode, new_event_id
from ingest.store.port import Received
from tests.effort_messages import effort_of
from tests.unit.review.test_answers import NOON, Pages, pages

__all__ = ["pages"]  # fixture
MAY = "from=2026-05-01&to=2026-06-30"
DEER = "Hydropotes inermis"


@pytest.fixture
def filled(pages: Pages) -> Iterator[Pages]:
    """Thirty captures of a deer and of wild boars each on the last days of May, with effort in May."""
    records: list[Event | Effort] = []
    for number in range(30):
        deer = pages.capture(minutes=-60 * number)
        records.append(renamed(deer, "野猪", deer.captured_at - timedelta(minutes=7 * number)))
    first = NOON - timedelta(days=9, hours=12)
    effort = effort_of(first, first + timedelta(days=10), station="ridge-07")
    for record in (*records, effort):
        pages.store.write([Received(record, encode(record), datetime.now(UTC))])
    yield pages


def renamed(event: Event, label: str, at: datetime) -> Event:
    detection = msgspec.structs.replace(event.detections[0], label=label)
    return msgspec.structs.replace(event, event_id=new_event_id(), detections=(detection,), captured_at=at)


def answer(pages: Pages, address: str) -> Any:
    response = pages.client.get(address)
    assert response.status_code == 200, response.text
    return response.json()


def test_rates_for_programs_have_effort_and_intervals_and_no_zero_for_unknown(filled: Pages) -> None:
    found = answer(filled, f"/api/trends?{MAY}&taxon={DEER}")
    may, june = found["periods"]
    assert (may["period"], may["effort_days"], may["independent"]) == ("2026-05", 10, 30)
    assert may["rate"] == 300
    assert may["interval"] == [pytest.approx(202.406, abs=1e-2), pytest.approx(428.268, abs=1e-2)]
    assert may["share"] == pytest.approx(30 / 60, abs=0.02)
    assert (june["effort_days"], june["rate"], june["interval"]) == (None, None, None)
    assert [one["name"] for one in found["series"]] == [DEER]


@pytest.mark.parametrize("name", ["野猪", "wild boar", "sus scrofa", "Sus scrofa", "wild_boar"])
def test_a_taxon_is_found_under_each_of_its_names(filled: Pages, name: str) -> None:
    found = answer(filled, f"/api/trends?{MAY}&taxon={name}")
    assert found["taxon"] == "Sus scrofa"
    assert found["total"]["captures"] == 30
    assert [one["taxon"] for one in found["taxa"]] == ["Sus scrofa"]


def test_two_periods_are_compared_on_request(filled: Pages) -> None:
    days = "from=2026-05-29&to=2026-05-31&compare_from=2026-05-20&compare_to=2026-05-28"
    found = answer(filled, f"/api/trends?{days}&taxon={DEER}")["comparison"]
    assert (found["ratio"], found["test"]) == (None, "exact conditional test of two Poisson rates")
    assert found["interval"][0] > 1 and found["interval"][1] is None
    assert found["p_value"] < 0.001
    page = filled.client.get(f"/trends?{days}&taxon={DEER}&lang=en").text
    assert "the first rate is higher" in page and "∞" in page


def test_rates_as_a_table_leave_unknown_values_empty(filled: Pages) -> None:
    text = filled.client.get(f"/rates.csv?{MAY}&taxon={DEER}").text.lstrip("\ufeff")
    may, june = csv.DictReader(io.StringIO(text))
    assert (may["series"], may["independent"], may["effort_days"], may["rate"]) == (DEER, "30", "10.0", "300.0")
    assert (june["effort_days"], june["rate"], june["low"], june["high"]) == ("", "", "", "")


def test_activity_for_programs_has_curve_level_and_overlap(filled: Pages) -> None:
    found = answer(filled, f"/api/activity?{MAY}&taxon={DEER}&other_taxon=野猪")
    deer, boar = found["sides"]
    assert (deer["taxon"], boar["taxon"], deer["records"], deer["untrusted_times"]) == (DEER, "Sus scrofa", 30, 0)
    assert len(deer["hours"]) == len(deer["density"]) == len(deer["low"]) == 128
    low, high = deer["activity_level"]["interval"]
    assert low <= deer["activity_level"]["value"] <= high
    assert 0 <= found["overlap"]["value"] <= 1
    few = answer(filled, f"/api/activity?{MAY}&taxon=fox")["sides"][0]
    assert (few["records"], few["density"], few["activity_level"]) == (0, None, None)


def test_seasons_for_programs_have_first_last_peak_and_moon(filled: Pages) -> None:
    found = answer(filled, f"/api/seasons?{MAY}&taxon={DEER}")
    (season,) = found["seasons"]
    assert (season["season"], season["whole"], season["records"]) == ("2026", False, 30)
    assert season["first"]["day"] <= season["last"]["day"] == "2026-05-31"
    assert (season["last"]["limit"], season["last"]["unwatched_days"]) == (None, 30)  # nothing watched in June
    assert season["peak_week"]["rate"] > 0
    assert len(season["records_by_day"]) == 61 and season["effort_days_by_day"][-1] is None
    assert sum(phase["counted"] or 0 for phase in found["moon_phases"]) == 30
    for address, code in (
        ("/api/seasons", 422),
        (f"/api/seasons?taxon={DEER}&begins_in=13", 422),
        (f"/api/seasons?taxon={DEER}&begins_in=0", 422),
    ):
        assert filled.client.get(address).status_code == code


@pytest.mark.parametrize(
    "address",
    [
        f"/trends?{MAY}",
        f"/trends?{MAY}&taxon={DEER}&by=day",
        f"/trends?{MAY}&by=season&group_by=station",
        f"/trends?{MAY}&interval=negative-binomial&taxon={DEER}",
        f"/activity?{MAY}",
        f"/activity?{MAY}&taxon={DEER}&other_taxon=野猪&scale=sun",
        "/activity?from=2020-01-01&to=2020-02-01",
        f"/seasons?{MAY}&taxon={DEER}",
        "/seasons?begins_in=7",
        "/seasons?from=2020-01-01&to=2020-02-01",
        "/trends?from=2020-01-01&to=2020-02-01",
    ],
)
@pytest.mark.parametrize("language", ["zh_CN", "en"])
def test_pages_draw_charts_without_script_or_other_hosts(filled: Pages, address: str, language: str) -> None:
    response = filled.client.get(f"{address}&lang={language}", headers={"accept": "text/html"})
    assert response.status_code == 200
    assert " style=" not in response.text and "http" not in response.text
    scripts = re.findall(r"<script[^>]*>", response.text)  # of all pages: what sends decisions that were made before
    assert all(one.startswith('<script src="/static/outbox.js?') for one in scripts)
    assert ('role="img"' in response.text) == ("2020" not in address)
    assert len(response.content) < 150_000


def test_a_gap_is_hatched_and_named(filled: Pages) -> None:
    page = filled.client.get(f"/trends?{MAY}&lang=zh_CN&taxon={DEER}").text
    assert 'class="gapr"' in page and ">未知</text>" in page
    row = next(one for one in page.split("<tr>") if "2026-06" in one)
    assert "未知" in row and ">0<" in row


@pytest.mark.parametrize(
    "address",
    [
        "/api/trends?by=fortnight",
        "/api/trends?group_by=colour",
        "/api/trends?minutes=soon",
        "/api/trends?minutes=-1",
        "/api/trends?minutes=nan",
        "/api/trends?minutes=20000",
        "/api/trends?min_confidence=2",
        "/api/trends?interval=guess",
        "/api/trends?from=2016-01-01&to=2025-12-30&by=day",
        "/api/trends?from=2026-05-01&to=2026-05-31&compare_from=2026-05-31&compare_to=2026-06-30",
        "/api/trends?compare_from=2026-05-31",
        "/api/trends?" + "&".join(f"station=s-{number}" for number in range(51)),
        "/api/trends?taxon=" + "a" * 300,
        "/api/activity",
        "/api/activity?taxon=fox&scale=moon",
        "/rates.csv?by=fortnight",
    ],
)
def test_values_out_of_range_are_refused_with_what_was_expected(pages: Pages, address: str) -> None:
    response = pages.client.get(address)
    assert response.status_code == 422
    assert response.json()["error"]


def test_the_description_has_every_parameter_and_field(filled: Pages) -> None:
    described = answer(filled, "/api/openapi.json")
    paths = described["paths"]
    assert {"/api/trends", "/api/activity", "/api/events", "/trends.csv", "/rates.csv", "/healthz"} <= set(paths)
    assert not {"/", "/trends", "/activity"} & set(paths)
    names = {one["name"] for one in paths["/api/trends"]["get"]["parameters"]}
    assert {"from", "to", "taxon", "station", "by", "group_by", "minutes", "compare_from"} <= names
    by = next(one for one in paths["/api/trends"]["get"]["parameters"] if one["name"] == "by")
    assert by["schema"]["enum"] == ["", "day", "week", "month", "season", "year"]
    schema = paths["/api/trends"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]["properties"]
    found = answer(filled, f"/api/trends?{MAY}")
    assert set(schema) <= set(found)
    assert set(schema["periods"]["items"]["properties"]) == set(found["periods"][0])
    assert set(schema["series"]["items"]["properties"]) == set(found["series"][0])
    side = paths["/api/activity"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]["properties"]
    activity = answer(filled, f"/api/activity?{MAY}&taxon={DEER}")
    assert set(side) == set(activity)
    assert set(side["sides"]["items"]["properties"]) == set(activity["sides"][0])
