"""The work summary of a period: every figure is recomputed from the databases, and what is not recorded stays open."""

import sqlite3
import zipfile
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import docx
import duckdb
import msgspec
import pytest

from casebook.casebook import Casebook
from casebook.flags import Flag
from casebook.verdicts import Verdict
from contract import Clock, Detection, Event, encode, new_event_id
from contract.examples import DEPLOYMENT, EVENT
from contract.messages import Gap
from i18n.language import Language, load_languages
from ingest.store.duckdb.store import DuckDbStore
from ingest.store.port import Received
from pipelines.reports.document import Document, Paragraph, Table
from pipelines.reports.docx_file import write_docx
from pipelines.reports.html_page import html_page, write_html
from pipelines.reports.summary import PeriodSummary, summarise
from pipelines.reports.work_summary import SummaryOptions, period_name, work_summary
from tests.effort_messages import effort_of

ZONE = ZoneInfo("Asia/Shanghai")
START, END = datetime(2026, 7, 1, tzinfo=ZONE), datetime(2026, 10, 1, tzinfo=ZONE)
OPTIONS = SummaryOptions(date(2026, 7, 1), date(2026, 9, 30), date(2026, 10, 9), "青岭县林业局", "县人民政府")
LANGUAGES = load_languages(ZONE)
ZH, EN = LANGUAGES["zh_CN"], LANGUAGES["en"]


class Site:
    """A detection store and a casebook with a quarter's records."""

    def __init__(self, folder: Path) -> None:
        self.store = DuckDbStore(folder / "detections.duckdb")
        self.casebook = Casebook(f"sqlite:///{folder / 'casebook.sqlite'}")

    def capture(
        self, label: str, days: float, station: str = "oak-1", kind: str = "animal", clock: Clock | None = None
    ) -> Event:
        event = msgspec.structs.replace(
            EVENT,
            event_id=new_event_id(),
            station=station,
            captured_at=START.astimezone(UTC) + timedelta(days=days),
            clock=clock or EVENT.clock,
            media=(),
            detections=(
                Detection(
                    ordinal=0,
                    label=label,
                    observation_type=kind,  # type: ignore[arg-type]
                    confidence=0.9,
                    model="wildpost-nano",
                ),
            ),
        )
        self.store.write([Received(event, encode(event), event.captured_at)])
        return event

    def watch(self, station: str, days: float, gap: Gap | None = None, after: float = 0) -> None:
        start = START.astimezone(UTC) + timedelta(days=after)
        effort = effort_of(start, start + timedelta(days=days), gap, station=station)
        self.store.write([Received(effort, encode(effort), effort.end)])

    def flag(self, event: Event, outcome: str = "", after_minutes: float = 0) -> None:
        found = event.detections[0]
        self.casebook.add_flags([Flag(event.event_id, "rule", "urgent", found.observation_type, event.captured_at)])
        if outcome:
            at = event.captured_at + timedelta(minutes=after_minutes)
            kind = "blank" if outcome == "dismissed" else found.observation_type
            verdict = Verdict(event.event_id, 0, outcome, kind, found.label, None, "李巡护", at)  # type: ignore[arg-type]
            self.casebook.record_verdict(verdict)
            self.casebook.close_flags(event.event_id, "李巡护", at)

    def summary(self) -> PeriodSummary:
        return summarise(START, END, self.store, self.casebook)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    yield made
    made.store.close()
    made.casebook.close()


@pytest.fixture
def quarter(site: Site) -> Site:
    """Boars, pheasants and people of two stations, gaps of one of them, and what people decided."""
    site.capture("leopard cat", 9, clock=Clock(source="none", synchronised=False))
    for days in (0, 0.01, 0.03, 5, 40):  # the second one is within 30 minutes of the first, the third is not
        site.capture("wild boar", days)
    site.capture("wild boar", 0, "oak-2")
    site.capture("sus scrofa", 91.99, "oak-2")
    site.capture("wild boar", 92, "oak-2")  # the first instant after the quarter
    site.capture("wild boar", -0.001)
    site.capture("白颈长尾雉", 3)  # level I
    site.capture("rat or so", 3)
    for days, outcome, minutes in ((2, "confirmed", 5), (4, "confirmed", 9), (6, "dismissed", 300), (8, "", 0)):
        site.flag(site.capture("person", days, kind="human"), outcome, minutes)
    site.watch("oak-1", 80.5)
    site.watch("oak-1", 10, "blind", after=80.5)
    site.watch("oak-2", 92)
    return site


def text_of(document: Document) -> str:
    paragraphs = [block.text for block in document.blocks if isinstance(block, Paragraph)]
    cells = [run.text for block in document.blocks if isinstance(block, Table) for row in block.rows for run in row]
    return "\n".join([*document.title, *paragraphs, *cells])


def test_every_figure_equals_that_of_an_independent_query(quarter: Site, tmp_path: Path) -> None:
    found = quarter.summary()
    quarter.store.close()
    with duckdb.connect(str(tmp_path / "detections.duckdb"), read_only=True) as connection:
        payloads = connection.execute("SELECT payload FROM event").fetchall()
    events = [msgspec.json.decode(bytes(row[0]) if isinstance(row[0], bytes) else row[0]) for row in payloads]
    inside = [
        event for event in events if START <= datetime.fromisoformat(event["captured_at"].replace("Z", "+00:00")) < END
    ]
    assert found.captures == len(inside) == 14
    assert found.untimed == sum(event["clock"]["source"] == "none" for event in inside) == 1
    assert {one.key: one.records for one in found.species} == {
        "Sus scrofa": 6,
        "Syrmaticus ellioti": 1,
        "rat or so": 1,
    }
    with sqlite3.connect(tmp_path / "casebook.sqlite") as casebook:
        (flagged,) = casebook.execute("SELECT count(DISTINCT event_id) FROM flag").fetchone()
        (dismissed,) = casebook.execute("SELECT count(*) FROM verdict WHERE outcome = 'dismissed'").fetchone()
        (still_open,) = casebook.execute("SELECT count(*) FROM flag WHERE state = 'open'").fetchone()
    decisions = found.decisions
    assert (decisions.flagged, decisions.dismissed, decisions.open) == (flagged, dismissed, still_open) == (4, 1, 1)
    assert (decisions.confirmed, decisions.confirmed_by_kind) == (2, {"human": 2})
    assert decisions.minutes_to_decision == pytest.approx(300)
    assert (found.watch.stations, found.watch.sensors) == (("oak-1", "oak-2"), 2)
    assert found.watch.watched_days == pytest.approx(172.5)
    assert found.watch.watched_share == pytest.approx(172.5 / 182.5)
    ((station, cause, days),) = found.station_gaps
    assert (station, cause, round(days, 6)) == ("oak-1", "blind", 10)
    boar = found.species[0].rate
    assert boar is not None and boar.per_100_days == pytest.approx(100 * 6 / 172.5)


def test_the_chinese_summary_says_it_in_a_bureaus_words(quarter: Site) -> None:
    text = text_of(work_summary(quarter.summary(), OPTIONS, ZH))
    assert text.startswith("青岭县林业局\n2026年第三季度野生动物保护工作小结\n县人民政府：\n")
    assert "现将2026年7月1日至2026年9月30日野生动物保护工作情况小结如下。" in text
    assert "布设监测站点2处、传感器2个，有效工作172.5个传感器日，占已报告时间的94.5%。" in text
    assert "取得动物独立有效记录8条，涉及2种，其中兽类1种、鸟类1种；国家一级保护动物1种、国家二级保护动物0种。" in text
    assert "触发告警的记录4条，经人工确认2条、排除1条，尚未判断1条。" in text
    assert "白颈长尾雉\nSyrmaticus ellioti\n一级\n1\n0.58 (0.01–3.23)" in text
    assert text.endswith("10.0") or "oak-1" in text


def test_what_is_not_recorded_is_left_open(quarter: Site) -> None:
    document = work_summary(quarter.summary(), OPTIONS, ZH)
    assert "出动人员____人次、车辆____车次" in text_of(document)
    assert "清查市场、餐馆（家）" in document.blanks and "受理案件（起）" in document.blanks


def test_no_effort_is_not_known_and_not_zero(site: Site) -> None:
    site.capture("wild boar", 1)
    found = site.summary()
    assert (found.watch.watched_days, found.watch.watched_share, found.species[0].rate) == (None, None, None)
    text = text_of(work_summary(found, OPTIONS, EN))
    assert "No working time was reported, so it is not known." in text
    assert "not known" in text


def test_a_summary_of_simulated_stations_says_so_first(site: Site) -> None:
    site.capture("wild boar", 1)
    assert "NOT A REPORT" not in text_of(work_summary(site.summary(), OPTIONS, EN))
    site.capture("wild boar", 1, "sim-001")
    deployment = msgspec.structs.replace(DEPLOYMENT, station="sim-001", simulated=True)
    site.store.write([Received(deployment, encode(deployment), START)])
    assert "of 2 stations, 1 are simulated" in text_of(work_summary(site.summary(), OPTIONS, EN))
    assert "2 个监测站点中有 1 个是模拟站点" in text_of(work_summary(site.summary(), OPTIONS, ZH))


def test_an_empty_period_is_a_document_too(site: Site) -> None:
    document = work_summary(site.summary(), SummaryOptions(date(2026, 7, 1), date(2026, 9, 30), date(2026, 10, 1)), EN)
    assert document.title == ("Summary of wildlife protection work, 3rd quarter 2026",)
    assert "Captures received: 0." in text_of(document)


@pytest.mark.parametrize(
    ("first", "last", "zh", "en"),
    [
        (date(2026, 7, 1), date(2026, 9, 30), "2026年第三季度", "3rd quarter 2026"),
        (date(2026, 1, 1), date(2026, 12, 31), "2026年", "2026"),
        (date(2026, 2, 1), date(2026, 2, 28), "2026年2月", "February 2026"),
        (date(2026, 5, 1), date(2026, 7, 31), "2026年5月1日至2026年7月31日", "May 1, 2026 to July 31, 2026"),
        (
            date(2025, 12, 15),
            date(2026, 1, 14),
            "2025年12月15日至2026年1月14日",
            "December 15, 2025 to January 14, 2026",
        ),
    ],
)
def test_a_period_has_its_usual_name(first: date, last: date, zh: str, en: str) -> None:
    assert (period_name(first, last, ZH), period_name(first, last, EN)) == (zh, en)


def test_the_docx_file_has_the_form_of_an_official_document(quarter: Site, tmp_path: Path) -> None:
    write_docx(work_summary(quarter.summary(), OPTIONS, ZH), tmp_path / "summary.docx")
    file = docx.Document(str(tmp_path / "summary.docx"))
    section = file.sections[0]
    lengths = (section.page_width, section.top_margin, section.left_margin, section.right_margin, section.bottom_margin)
    assert [round(length.mm) for length in lengths if length is not None] == [210, 37, 28, 26, 35]
    title, body = file.paragraphs[0], next(one for one in file.paragraphs if "出动人员" in one.text)
    assert [run.font.size.pt for run in (title.runs[0], body.runs[0]) if run.font.size] == [22, 16]
    with zipfile.ZipFile(tmp_path / "summary.docx") as package:
        xml = package.read("word/document.xml").decode()
        footers = [package.read(name).decode() for name in package.namelist() if "footer" in name]
    assert "方正小标宋简体" in xml and "仿宋_GB2312" in xml and "黑体" in xml
    assert sum("PAGE" in footer for footer in footers) == 2
    assert len(file.tables) == 2
    with pytest.raises(FileExistsError):
        write_docx(work_summary(quarter.summary(), OPTIONS, ZH), tmp_path / "summary.docx")


@pytest.mark.parametrize("language", [ZH, EN], ids=lambda one: one.code)
def test_the_html_page_links_each_figure_and_runs_nothing(quarter: Site, tmp_path: Path, language: Language) -> None:
    quarter.capture("<script>alert(1)</script>", 20)
    document = work_summary(quarter.summary(), OPTIONS, language)
    page = html_page(document, "https://server.example/")
    assert "<script" not in page and "&lt;script&gt;" in page
    assert 'href="https://server.example/trends?from=2026-07-01&amp;to=2026-09-30"' in page
    assert 'class="blank"' in page
    assert "href=" not in html_page(document)
    write_html(document, tmp_path / "summary.html")
    assert (tmp_path / "summary.html").read_text(encoding="utf-8") == html_page(document)
