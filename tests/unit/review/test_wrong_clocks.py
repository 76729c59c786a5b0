"""Pages and programs see the last decision and the newest captures, whatever a clock showed."""

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec

from casebook.clock_shifts import ClockShift
from casebook.verdicts import Verdict
from contract import Clock, Event, encode, new_event_id
from ingest.store.counts import CountQuery
from ingest.store.port import Received
from tests.unit.review.test_answers import NOON, Pages, pages

__all__ = ["pages"]
AHEAD = datetime(2034, 1, 1, tzinfo=UTC)
ENGLISH, CHINESE = {"accept-language": "en"}, {"accept-language": "zh-CN"}


def counted(pages: Pages) -> list[tuple[str, int]]:
    day = CountQuery.in_utc(NOON - timedelta(days=1), NOON + timedelta(days=1))
    return [(one.taxon, one.detections) for one in pages.store.count(day)]


def test_a_decision_after_the_servers_clock_was_set_back_counts_on_the_page_and_in_trends(pages: Pages) -> None:
    event = pages.capture()
    early = Verdict(event.event_id, 0, "corrected", "animal", "Ursus thibetanus", None, "ranger", AHEAD)
    (recorded,) = pages.casebook.record_verdicts([early])
    pages.store.apply_verdicts([recorded])
    assert counted(pages) == [("Ursus thibetanus", 1)]
    body = {"event_id": event.event_id, "outcome": "dismissed"}
    assert pages.client.post("/verdicts", json=body, headers=pages.ours).status_code == 200
    page = pages.client.get(f"/events/{event.event_id}").text
    assert re.findall(r'data-outcome="(\w*)"', page)[0] == "dismissed"
    assert counted(pages) == []
    assert [one.outcome for one in pages.casebook.verdict_history(event.event_id)] == ["corrected", "dismissed"]
    assert pages.casebook.unapplied_verdicts() == [recorded]


def test_captures_of_9998_are_listed_when_they_came_and_every_page_is_reached(pages: Pages) -> None:
    received = datetime.now(UTC) - timedelta(minutes=5)
    ids = [pages.capture(minutes=number).event_id for number in range(3)]
    template = pages.capture(minutes=9)
    ids.append(template.event_id)
    for number in range(5):
        future = msgspec.structs.replace(
            template, event_id=new_event_id(), captured_at=datetime(9998, 1, 1, number, tzinfo=UTC)
        )
        pages.store.write([Received(future, encode(future), received)])
        ids.append(future.event_id)
    live = live_capture(template)
    pages.store.write([Received(live, encode(live), live.captured_at)])
    ids.append(live.event_id)
    assert pages.shown("/")[0] == live.event_id
    seen: list[str] = []
    address = "/"
    while address:
        assert len(seen) <= len(ids), "a page came twice"
        text = pages.client.get(address).text
        seen += [part.partition('"')[0] for part in text.split('data-event="')[1:]]
        found = re.findall(r'class="more"><a class="btn" href="([^"]*)"', text)
        address = found[0].replace("&amp;", "&") if found else ""
    assert sorted(seen) == sorted(ids)
    cursor, listed = "", list[str]()
    while cursor is not None:
        assert len(listed) <= len(ids), "a page came twice"
        answer = pages.client.get("/api/events", params={"limit": 3, "after": cursor}).json()
        listed += [one["event_id"] for one in answer["events"]]
        cursor = answer["next"]
    assert listed == seen
    day = received.astimezone(ZoneInfo("Asia/Shanghai")).date().isoformat()
    assert set(pages.shown(f"/?day={day}")) <= set(ids[4:])
    assert pages.shown(f"/?day={day}")
    assert pages.client.get("/trends").status_code == 200


def live_capture(template: Event) -> Event:
    return msgspec.structs.replace(template, event_id=new_event_id(), captured_at=datetime.now(UTC))


def test_the_trends_say_how_many_detections_have_no_hour(pages: Pages) -> None:
    template = pages.capture()
    for source in ("copy", "none", "name"):
        clock = Clock(source=source, synchronised=False)
        event = msgspec.structs.replace(template, event_id=new_event_id(), clock=clock)
        pages.store.write([Received(event, encode(event), event.captured_at)])
    day = f"from={template.captured_at:%Y-%m-%d}&to={template.captured_at:%Y-%m-%d}"
    (counts,) = pages.client.get(f"/api/trends?{day}").json()["taxa"]
    unknown = counts["hour_unknown"]
    assert (counts["detections"], sum(counts["by_hour"])) == (2 * unknown, unknown)
    assert "2 captures left out, time not trusted" in pages.client.get(f"/trends?{day}", headers=ENGLISH).text
    assert "时间不可信而未计入 2 条" in pages.client.get(f"/trends?{day}", headers=CHINESE).text
    page = pages.client.get(f"/events/{event.event_id}", headers=ENGLISH).text
    assert "the file name" in page


def test_pages_show_a_corrected_time_and_keep_the_message_as_it_was_sent(pages: Pages) -> None:
    event = pages.capture()
    hour = timedelta(hours=1)
    period = event.captured_at - hour, event.captured_at + hour
    pages.store.set_clock_shifts(
        [ClockShift("1", event.station, event.sensor, *period, -3 * hour, "wrong zone", "Li", NOON)]
    )
    right = (event.captured_at - 3 * hour).isoformat()
    page = pages.client.get(f"/events/{event.event_id}", headers=ENGLISH).text
    assert f"<dt>Time corrected on the server</dt><dd>{right}</dd>" in page
    assert f"<dt>Time reported by the station</dt><dd>{event.captured_at.isoformat()}</dd>" in page
    assert pages.client.get(f"/events/{event.event_id}.json").json() == msgspec.json.decode(encode(event))
    answer = pages.client.get("/api/events").json()
    assert answer["events"] == [msgspec.json.decode(encode(event))]
    assert datetime.fromisoformat(answer["corrected"][event.event_id]) == event.captured_at - 3 * hour
    assert f'datetime="{right}"' in pages.client.get("/", headers=ENGLISH).text
