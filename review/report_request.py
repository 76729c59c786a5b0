"""Reads what is asked of the work summary, and writes it, with a limit on how much one request reads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Annotated, Literal

from fastapi import Depends, Query

from casebook.casebook import Casebook
from casebook.flags import Flag
from casebook.verdicts import Verdict
from i18n.language import Language
from pipelines.reports.document import Document
from pipelines.reports.summary import summarise
from pipelines.reports.work_summary import SummaryOptions, work_summary
from pipelines.trends.counting import count_trends, local_midnight
from review.page import ContextDependency, PageContext
from review.problems import InvalidRequest
from review.trend_parameters import FromDay, ToDay, newest_day, parse_choice, parse_day

LONGEST = timedelta(days=366)
MOST_DETECTIONS = 100_000  # of more, reading takes longer than a browser waits: `wildpost report` has no such limit
MAX_NAME = 100
ReportLanguage = Literal["zh", "en"]
Lang = Annotated[str, Query(description="Language of the report: zh or en; default that of the page")]
Unit = Annotated[str, Query(max_length=MAX_NAME, description="Name of the bureau")]
Addressee = Annotated[str, Query(max_length=MAX_NAME, description="Whom it is written to")]


@dataclass(frozen=True, slots=True)
class ReportRequest:
    """A request for a work summary.

    Attributes:
        first: First local day.
        last: Last local day.
        language: Language of the summary, "zh" or "en".
        unit: Name of the bureau; "": left open.
        addressee: Whom it is written to; "": nobody is named.
    """

    first: date
    last: date
    language: ReportLanguage
    unit: str
    addressee: str


def requested_report(
    context: ContextDependency,
    first: FromDay = "",
    last: ToDay = "",
    report_lang: Lang = "",
    unit: Unit = "",
    addressee: Addressee = "",
) -> ReportRequest:
    """Parse a request; the default period is the calendar month of the newest capture."""
    until = parse_day(last) or _month_end(newest_day(context))
    since = parse_day(first) or until.replace(day=1)
    if not timedelta(0) <= until - since < LONGEST:
        raise InvalidRequest("report")
    default = "zh" if context.language.code == "zh_CN" else "en"
    return ReportRequest(
        since, until, parse_choice(report_lang, ReportLanguage, default), unit.strip(), addressee.strip()
    )


ReportDependency = Annotated[ReportRequest, Depends(requested_report)]


def _month_end(day: date) -> date:
    following = (day.replace(day=1) + timedelta(days=32)).replace(day=1)
    return following - timedelta(days=1)


def write_report(context: PageContext, asked: ReportRequest) -> Document:
    """Write the summary.

    Raises:
        InvalidRequest: the period has more than ``MOST_DETECTIONS``.
    """
    site = context.site
    counted = count_trends(site.store, asked.first, asked.last, site.zone)
    if sum(one.detections for one in counted.taxa) > MOST_DETECTIONS:
        raise InvalidRequest("report")
    start = local_midnight(asked.first, site.zone)
    end = local_midnight(asked.last + timedelta(days=1), site.zone)
    today = datetime.now(site.zone).date()
    options = SummaryOptions(asked.first, asked.last, today, unit=asked.unit, addressee=asked.addressee)
    decisions = site.casebook if site.stations is None else _SeenDecisions(site.casebook, site.stations)
    return work_summary(summarise(start, end, site.store, decisions), options, report_language(context, asked))


class _SeenDecisions:
    """Flags and verdicts of the captures of some stations."""

    def __init__(self, casebook: Casebook, stations: frozenset[str]) -> None:
        self._casebook, self._stations = casebook, stations

    def flags_raised(self, start: datetime, end: datetime) -> list[Flag]:
        """See ``Casebook.flags_raised``; flags of earlier versions, which do not name a station, are left out."""
        return [flag for flag in self._casebook.flags_raised(start, end) if flag.station in self._stations]

    def verdicts_of(self, event_ids: Sequence[str]) -> Mapping[str, Sequence[Verdict]]:
        """See ``Casebook.verdicts_of``."""
        return self._casebook.verdicts_of(event_ids)


def report_language(context: PageContext, asked: ReportRequest) -> Language:
    """Return the language of the summary."""
    return context.site.languages["zh_CN" if asked.language == "zh" else "en"]
