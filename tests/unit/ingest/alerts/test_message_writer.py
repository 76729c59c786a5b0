"""What people are told: the sentences in both languages, the link, and who can be seen in the picture."""

import dataclasses
import errno
import hashlib
import io
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO
from zoneinfo import ZoneInfo

import msgspec
import pytest
from PIL import Image, ImageStat

from casebook.engine import open_engine
from casebook.incidents.alert_policy import AlertPolicy
from casebook.incidents.database import Database
from casebook.incidents.occurrence import IncidentOptions, Occurrence, occurrences_of
from casebook.incidents.reader import IncidentReader
from casebook.incidents.repository import Alert, IncidentRepository
from casebook.incidents.shot_repository import ShotRepository
from casebook.incidents.station_watch import StationWatch
from contract import Box, Media, encode, new_event_id
from contract.examples import DEPLOYMENT, EVENT
from i18n.known_labels import KnownLabels
from i18n.language import load_languages
from ingest.alerts.message_writer import AlertMessageWriter
from ingest.alerts.port import AttachmentPending
from ingest.drawing.drawings import Drawings
from ingest.media.folder import FolderMedia
from ingest.rules.incident_service import IncidentService
from ingest.rules.rule_set import Hours, Rule, RuleSet, RulesOptions, Season
from ingest.rules.zones import read_zones
from ingest.store.duckdb.store import DuckDbStore
from ingest.store.port import Received
from tests.bombs import png_of
from tests.repository import REPOSITORY

AT = datetime(2026, 4, 12, 20, 0, tzinfo=UTC)  # 04:00 of the 13th in China
RULES = RulesOptions(
    rule=(
        Rule(
            name="closed", severity="urgent", observation_types=("human",), zones=("lake-west",),
            seasons=(Season(start="03-01", end="08-31"),), hours=(Hours(start="sunset", end="sunrise"),),
        ),
        Rule(name="anywhere", severity="warning", observation_types=("human",)),
    )
)  # fmt: skip


def picture() -> bytes:
    """A chequered picture: blurring shows as the loss of its sharp edges."""
    image = Image.new("L", (200, 100))
    image.putdata([255 * ((x // 4 + y // 4) % 2) for y in range(100) for x in range(200)])
    written = io.BytesIO()
    image.convert("RGB").save(written, "JPEG", quality=95)
    return written.getvalue()


class Case:
    """One person in the closed season at night, as the server has it."""

    def __init__(self, folder: Path) -> None:
        data = picture()
        sha256 = hashlib.sha256(data).hexdigest()
        self.event = msgspec.structs.replace(
            EVENT, captured_at=AT, media=(Media(sha256=sha256, type="image/jpeg", size=len(data), role="thumbnail"),)
        )
        self.data, self.sha256 = data, sha256
        self.store = DuckDbStore(folder / "detections.duckdb")
        self.store.write([Received(self.event, encode(self.event), AT)])
        self.media = FolderMedia(folder / "media")
        self.engine = open_engine(f"sqlite:///{folder / 'casebook.sqlite'}")
        database, options = Database(self.engine), IncidentOptions()
        self.book = IncidentRepository(database, options, AlertPolicy())
        rules = RuleSet(RULES, read_zones(REPOSITORY / "configs" / "zones.geojson"))
        (self.alert,) = self.book.record(occurrences_of(self.event, rules.evaluate(self.event, AT), AT, options))
        self.now = AT
        self.drawings = Drawings(folder / "drawn")
        self.writer = AlertMessageWriter(
            IncidentReader(database),
            self.store,
            self.media,
            self.drawings,
            load_languages(ZoneInfo("Asia/Shanghai")),
            "https://reserve.example/",
            lambda: self.now,
        )


@pytest.fixture
def case(tmp_path: Path) -> Iterator[Case]:
    made = Case(tmp_path)
    yield made
    made.drawings.close()
    made.store.close()
    made.engine.dispose()


def test_a_person_at_night_in_the_closed_season_is_told_in_both_languages_with_a_link(case: Case) -> None:
    message = case.writer.write(case.alert, "none")
    assert message.words["en"].title == "[Urgent] person at lake-07"
    assert message.words["en"].body.splitlines() == [
        "person at night in West Lakeshore no-hunting area, closed season Mar 1 to Aug 31",
        "Station: lake-07",
        "Time: Apr 13, 2026, 4:00:00\u202fAM",
    ]
    assert message.words["zh_CN"].title == "[紧急] 人 · lake-07"
    assert message.words["zh_CN"].body.splitlines()[0] == "夜间西湖滩禁猎区发现人，禁猎期 3月1日至8月31日"
    assert message.link == f"https://reserve.example/incidents/{case.alert.incident_id}"
    assert message.record["event_id"] == case.event.event_id
    assert "latitude" not in str(message.record)  # where cameras stand is nobody else's business


def test_an_alert_of_a_simulated_station_says_so_in_both_languages(case: Case) -> None:
    event = msgspec.structs.replace(case.event, event_id=new_event_id(), station="sim-001", simulated=True)
    case.store.write([Received(event, encode(event), AT)])
    rules = RuleSet(RULES, read_zones(REPOSITORY / "configs" / "zones.geojson"))
    (alert,) = case.book.record(occurrences_of(event, rules.evaluate(event, AT), AT, IncidentOptions()))
    message = case.writer.write(alert, "none")
    assert message.words["en"].title == "[Urgent] SIMULATED: person at sim-001"
    assert message.words["en"].body.startswith("SIMULATED: person at night in West Lakeshore")
    assert message.words["zh_CN"].title == "[紧急] 【模拟】人 · sim-001"
    assert message.words["zh_CN"].body.startswith("【模拟】")
    assert message.record["simulated"] is True
    assert case.writer.write(case.alert, "none").record["simulated"] is False


def test_an_alert_about_a_simulated_station_without_a_capture_says_so(case: Case) -> None:
    deployment = msgspec.structs.replace(DEPLOYMENT, station="sim-002", simulated=True)
    case.store.write([Received(deployment, encode(deployment), AT)])
    reasons = ({"label": "silent", "station": "sim-002"},)
    silence = Occurrence("silence", "silent", "health", "sim-002", AT, AT, None, "warning", 1.0, reasons)
    (alert,) = case.book.record([silence])
    assert case.writer.write(alert, "none").words["en"].title == "[Warning] SIMULATED: station silent at sim-002"


def test_a_station_that_claims_to_be_simulated_hides_no_finding_that_real_stations_may_join(case: Case) -> None:
    deployment = msgspec.structs.replace(DEPLOYMENT, station="stolen", simulated=True)
    case.store.write([Received(deployment, encode(deployment), AT)])
    at, reasons = AT + timedelta(hours=3), ({"label": "gunshot"},)
    shot = Occurrence("shot", "gunshot", "sound", "stolen", at, at, case.event.location, "urgent", 0.9, reasons)
    (first,) = case.book.record([shot])
    assert case.book.record([replace(shot, subject="real", station="lake-07")]) == []  # no alert of its own
    message = case.writer.write(first, "none")
    assert (message.words["en"].title, message.record["simulated"]) == ("[Urgent] gunshot at stolen", False)


def test_an_escalation_says_so_and_names_what_is_new_first(case: Case) -> None:
    at = AT + timedelta(minutes=2)
    reasons = ({"label": "gunshot"},)
    shot = Occurrence("shot", "gunshot", "sound", "lake-07", at, at, case.event.location, "urgent", 0.9, reasons)
    (worse,) = case.book.record([shot])
    message = case.writer.write(worse, "none")
    assert message.words["en"].title == "[Urgent] gunshot, person at lake-07"
    assert message.words["en"].body.startswith("This incident is more severe than at the last alert")


def test_a_picture_is_waited_for_a_moment_and_then_done_without(case: Case) -> None:
    with pytest.raises(AttachmentPending):
        case.writer.write(case.alert, "plain")
    case.now = AT + timedelta(seconds=4)
    assert case.writer.write(case.alert, "plain").pictures == {}
    case.media.put(case.data, case.sha256)
    assert case.writer.write(case.alert, "plain").pictures["plain"].data == case.data


def sharpness(data: bytes, area: tuple[int, int, int, int]) -> float:
    return float(ImageStat.Stat(Image.open(io.BytesIO(data)).convert("L").crop(area)).stddev[0])


def of_broken_picture(case: Case, data: bytes) -> Alert:
    """An alert of an event whose thumbnail is ``data``, said to be JPEG."""
    sha256 = hashlib.sha256(data).hexdigest()
    medium = Media(sha256=sha256, type="image/jpeg", size=len(data), role="thumbnail")
    event = msgspec.structs.replace(case.event, event_id=new_event_id(), media=(medium,))
    case.store.write([Received(event, encode(event), AT)])
    case.media.put(data, sha256)
    return dataclasses.replace(case.alert, subject=event.event_id)


def test_people_cannot_be_made_out_in_the_blurred_picture_of_an_alert(case: Case) -> None:
    case.media.put(case.data, case.sha256)
    (blurred,) = case.writer.write(case.alert, "blurred").pictures.values()
    assert blurred.type == "image/jpeg"
    x, y, width, height = msgspec.structs.astuple(case.event.detections[0].box or Box(0, 0, 1, 1))
    area = (round(200 * x), round(100 * y), round(200 * (x + width)), round(100 * (y + height)))
    assert sharpness(blurred.data, area) < 25 < 100 < sharpness(case.data, area)


@pytest.mark.parametrize("kind", ["plain", "blurred"])
@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xd8 no picture",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\nshowpage\n",
        b"fLaC" + bytes(100),
        picture()[:1_500],
        picture() + b"<script>alert(1)</script>",
        png_of(13_300, 13_300, rows=1),
    ],
    ids=["marker", "eps", "sound", "cut off", "polyglot", "bomb"],
)
def test_a_thumbnail_that_cannot_be_shown_costs_the_alert_only_its_picture(
    case: Case, data: bytes, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    message = case.writer.write(of_broken_picture(case, data), kind)
    assert message.pictures == {}
    assert message.words["en"].title == "[Urgent] person at lake-07"
    assert "goes out without its picture" in caplog.text


def test_a_store_of_media_that_fails_costs_the_alert_only_its_picture(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(sha256: str) -> BinaryIO:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(case.media, "open", fail)
    with pytest.raises(AttachmentPending):
        case.writer.write(case.alert, "blurred")
    case.now = AT + timedelta(seconds=4)
    assert case.writer.write(case.alert, "blurred").pictures == {}


@pytest.mark.parametrize("label", ["点击 http://evil.example/1", "shot\u202e\nStation: lake-08", "拨打 13800001111"])
def test_a_label_that_the_server_does_not_know_is_shown_as_other(case: Case, label: str) -> None:
    reason = {"label": label, "scientific_name": label, "confidence": "0.90"}
    strange = Occurrence("strange", label, "sound", "lake-07", AT, AT, case.event.location, "urgent", 0.9, (reason,))
    (alert,) = case.book.record([strange])
    message = case.writer.write(alert, "none")
    assert message.words["en"].title == "[Urgent] other, person at lake-07"
    assert message.words["zh_CN"].title == "[紧急] 其他，人 · lake-07"
    assert message.record["kind"] == "other"
    assert label not in str(message)


def test_sounds_with_unknown_labels_are_one_kind_and_raise_one_alert(case: Case) -> None:
    rules = RuleSet(RULES, read_zones(REPOSITORY / "configs" / "zones.geojson"))
    alerts: list[Alert] = []
    for number in range(20):
        seen = msgspec.structs.replace(case.event.detections[0], label=f"http://evil.example/{number}", box=None)
        sound = msgspec.structs.replace(
            case.event, event_id=new_event_id(), station="thief", capture="sound", detections=(seen,), location=None
        )
        occurrences = occurrences_of(sound, rules.evaluate(sound, AT), AT, IncidentOptions(), (), KnownLabels().kind)
        alerts += case.book.record(occurrences)
    assert [one.kind for one in alerts] == ["other"]


def test_an_alert_about_held_back_alerts_names_the_station_and_the_limit(case: Case) -> None:
    message = case.writer.write(replace(case.alert, cause="held"), "plain")
    assert message.words["en"].title == "[Urgent] Station lake-07: alerts are held back"
    assert message.words["en"].body == (
        "Station lake-07 has raised 20 alerts in an hour. The rest is held back; look at the page."
    )
    assert message.words["zh_CN"].body == "站点 lake-07 一小时内已发出 20 条告警。其余告警暂缓发送，请查看页面。"
    assert message.pictures == {}


def test_a_station_far_over_its_budget_raises_one_alert_an_hour(case: Case) -> None:
    database, alerts = Database(case.engine), list[Alert]()
    service = IncidentService(
        RuleSet(RulesOptions(), ()),
        case.store,
        case.book,
        ShotRepository(database, IncidentOptions().corroboration),
        StationWatch(database, (), IncidentOptions()),
        IncidentOptions(),
        alerts.extend,
    )
    for minute in range(0, 120, 10):
        service.record_overload("stolen", AT + timedelta(minutes=minute))
    assert [(one.kind, one.severity) for one in alerts] == [("overload", "warning")] * 2
    message = case.writer.write(alerts[0], "plain")
    assert message.words["en"].title == "[Warning] sends more than its budget at stolen"
    assert message.words["en"].body.splitlines()[0].startswith("stolen: sends more than its budget since Apr 13, 2026")
    assert message.words["zh_CN"].title == "[警告] 发送量超出限额 · stolen"
