"""The pages of blind spots and of the work summary, over HTTP."""

import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import docx
import msgspec
import pytest

from casebook.access.accounts import Accounts
from casebook.access.actor import Role
from casebook.access.audit import AuditLog
from casebook.flags import Flag
from casebook.incidents.database import Database
from casebook.verdicts import Verdict
from contract import Location, encode, new_event_id
from ingest.rules.zones import Zone, read_zones
from ingest.store.port import Received
from review import report_request
from review.app import create_app
from review.options import ReviewOptions
from tests.accounts import BY, add_account, signed_in
from tests.effort_messages import effort_of
from tests.unit.review.test_answers import NOON, Pages, pages, served

__all__ = ["pages"]  # fixture
MAY = "from=2026-05-01&to=2026-05-31"
PLACE = Location(latitude=31.05, longitude=117.25)


@pytest.fixture
def filled(pages: Pages) -> Iterator[Pages]:
    """A station that watched from 5 to 21 o'clock on the last day of May, a capture of a deer and one of a person."""
    pages.capture()
    person = pages.capture(minutes=5, found=("person",))
    midnight = NOON - timedelta(hours=12)  # in Shanghai
    watched = effort_of(midnight + timedelta(hours=5), midnight + timedelta(hours=21), station="ridge-07")
    blind = effort_of(midnight + timedelta(hours=21), midnight + timedelta(hours=23), "blind", station="ridge-07")
    later = {"event_id": new_event_id(), "captured_at": NOON + timedelta(minutes=9), "location": PLACE}
    placed = msgspec.structs.replace(person, **later)
    for record in (watched, blind, placed):
        pages.store.write([Received(record, encode(record), datetime.now(UTC))])
    pages.casebook.add_flags([Flag(placed.event_id, "people", "urgent", "human", placed.captured_at)])
    yield pages


def zone(folder: Path, left: float) -> tuple[Zone, ...]:
    ring = [[left, 31.0], [left + 0.1, 31.0], [left + 0.1, 31.1], [left, 31.1], [left, 31.0]]
    feature = {
        "type": "Feature",
        "properties": {"id": "lake", "name_zh": "湖区", "name_en": "Lake"},
        "geometry": {"type": "Polygon", "coordinates": [ring]},
    }
    path = folder / "zones.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    return tuple(read_zones(path))


def test_the_hours_nobody_watches_are_named(filled: Pages) -> None:
    day = "from=2026-05-31&to=2026-05-31"
    page = filled.client.get(f"/coverage?{day}&lang=zh_CN").text
    assert '<b id="weakest">00-05，21-24</b>' in page
    assert "1 个站点中有 0 个在岗" in page and "66.7%" in page
    assert page.count('class="gapr"') >= 6  # of 00 to 05 and 23 nothing is known
    assert "规则中没有设定区域" in page
    assert "No station reported" in filled.client.get("/coverage?from=2020-01-01&to=2020-01-31&lang=en").text


def test_zones_have_their_reach_and_places_without_coordinates(filled: Pages, tmp_path: Path) -> None:
    app = create_app(filled.store, filled.casebook, filled.media, ReviewOptions(), zones=zone(tmp_path, 117.2))
    with served(app) as client:
        page = client.get(f"/coverage?{MAY}&lang=en&reach_m=1000&further=2").text
        assert "Lake" in page and page.count("ha more in reach") == 2
        assert "from ridge-07" in page
        assert "31.05" not in page and "117.25" not in page
        assert "湖区" in client.get(f"/coverage?{MAY}&lang=zh_CN").text


@pytest.mark.parametrize(
    "address",
    [
        "/coverage?reach_m=far",
        "/coverage?reach_m=100001",
        "/coverage?further=11",
        "/coverage?from=2020-01-01&to=2026-01-01",
        "/coverage?from=2026-05-31&to=2026-05-01",
        "/coverage?from=0001-01-01&to=0001-01-01",
        "/coverage?from=9999-01-01&to=9999-12-31",
        "/report?from=2025-01-01&to=2026-01-02",
        "/report?from=2026-05-31&to=2026-05-01",
        "/report?report_lang=fr",
        f"/report?unit={'x' * 101}",
        "/report/file?format=pdf",
    ],
)
def test_values_out_of_range_are_refused(filled: Pages, address: str) -> None:
    assert filled.client.get(address).status_code == 422


@pytest.mark.parametrize("language", ["zh_CN", "en"])
def test_pages_have_no_style_and_no_other_hosts(filled: Pages, language: str) -> None:
    for address in (f"/coverage?{MAY}", f"/report?{MAY}"):
        page = filled.client.get(f"{address}&lang={language}").text
        assert " style=" not in page and "http" not in page


def test_the_summary_of_a_month_is_shown_and_saved(filled: Pages) -> None:
    asked = f"/report?{MAY}&lang=en&report_lang=zh&unit=青岭县林业局&addressee=县人民政府"
    page = filled.client.get(asked).text
    assert '<article class="paper" lang="zh-CN">' in page
    assert "2026年5月野生动物保护工作小结" in page and "青岭县林业局" in page
    assert 'href="/trends?from=2026-05-01&amp;to=2026-05-31' in page
    assert "出动人员（人次）" in page.split("Not recorded, left open")[1]
    answer = filled.client.get(asked.replace("/report?", "/report/file?"))
    assert answer.headers["content-disposition"] == (
        'attachment; filename="wildpost-report-2026-05-01-2026-05-31.docx"'
    )
    text = "\n".join(paragraph.text for paragraph in docx.Document(io.BytesIO(answer.content)).paragraphs)
    assert "青岭县林业局" in text and "县人民政府" in text
    saved = filled.client.get(asked.replace("/report?", "/report/file?") + "&format=html")
    assert saved.headers["content-disposition"].endswith('.html"') and "青岭县林业局" in saved.text


def test_names_in_a_summary_are_text_and_no_markup(filled: Pages) -> None:
    for path in ("/report", "/report/file"):
        text = filled.client.get(path, params={"unit": "<script>alert(1)</script>", "format": "html"}).text
        assert "<script>alert" not in text


def test_the_default_period_is_the_month_of_the_newest_capture(filled: Pages) -> None:
    page = filled.client.get("/report?lang=en").text
    assert 'name="from" value="2026-05-01"' in page and 'name="to" value="2026-05-31"' in page


def test_a_period_with_too_many_detections_is_refused_before_it_is_read(
    filled: Pages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report_request, "MOST_DETECTIONS", 2)
    answer = filled.client.get(f"/report?{MAY}")
    assert answer.status_code == 422
    assert "at most 100,000 detections" in answer.json()["error"]


def test_dismissed_flags_are_no_incidents_of_a_zone(filled: Pages, tmp_path: Path) -> None:
    app = create_app(filled.store, filled.casebook, filled.media, ReviewOptions(), zones=zone(tmp_path, 117.2))
    (flag,) = filled.casebook.flags_raised(NOON - timedelta(days=1), NOON + timedelta(days=1))
    with served(app) as client:

        def incidents() -> str:
            row = client.get(f"/coverage?{MAY}&lang=en&reach_m=1000").text.split('id="zones"')[1].split("</tr>")[1]
            return row.rsplit('<td class="num">', 1)[1].split("<")[0]

        assert incidents() == "1"
        filled.casebook.record_verdict(Verdict(flag.event_id, 0, "dismissed", "blank", "", None, "li", NOON))
        assert incidents() == "0"


def test_a_manager_sees_blind_spots_and_the_audit_log_says_so_and_a_ranger_does_not(filled: Pages) -> None:
    database = Database(filled.casebook.engine)
    Accounts(database).set_area("north", ["other-01"], BY)
    found = {}
    roles: tuple[Role, ...] = ("manager", "ranger")
    for role in roles:
        add_account(database, role, role, ["north"])
        with signed_in(filled.client, database, role) as client:
            found[role] = [client.get(f"{path}?{MAY}&lang=en") for path in ("/coverage", "/report", "/report/file")]
    assert [answer.status_code for answer in found["ranger"]] == [403, 403, 403]
    blind, summary, _ = found["manager"]
    assert "No station reported" in blind.text and "ridge-07" not in blind.text
    assert "Flagged captures: <" in summary.text and 'href="/">0</a>' in summary.text  # of a foreign station
    noted = [(entry.action, entry.content) for entry in AuditLog(database).entries() if entry.name == "manager"]
    assert ("viewed", "blind spots, 2026-05-01 to 2026-05-31") in noted
    assert ("exported", "wildpost-report-2026-05-01-2026-05-31.docx") in noted
