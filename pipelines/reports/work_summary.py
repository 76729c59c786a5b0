"""The period's work summary in the form in which wildlife-protection bureaus write it.

Its sections follow the reports of such bureaus: organisation, patrols and checks, monitoring, cases, problems. What is
not recorded is left open, never computed from something else.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from urllib.parse import urlencode

from babel import dates

from i18n.incident_sentences import kind_name
from i18n.language import Language
from i18n.taxonomy import display_name
from pipelines.reports.document import Document, Heading, Paragraph, Run, Table, paragraph, table
from pipelines.reports.summary import PeriodSummary, SpeciesRecords

MOST_SPECIES, MOST_GAPS = 20, 8


@dataclass(frozen=True, slots=True)
class SummaryOptions:
    """What the summary says about its author and reader.

    Attributes:
        first: First local day.
        last: Last local day.
        unit: Name of the bureau; "": left open.
        addressee: Whom it is written to; "": nobody is named.
        written_on: Date below the summary.
    """

    first: date
    last: date
    written_on: date
    unit: str = ""
    addressee: str = ""


def work_summary(found: PeriodSummary, options: SummaryOptions, language: Language) -> Document:
    """Return the summary of a period as a document."""
    return _Summary(found, options, language).document()


def period_name(first: date, last: date, language: Language) -> str:
    """Return the name of a period: a year, a quarter or a month if it is a whole one, else its first and last day."""
    following = last + timedelta(days=1)
    if first.day == 1 and following.day == 1:
        months = (following.year - first.year) * 12 + following.month - first.month
        if months == 12 and first.month == 1:
            return dates.format_skeleton("y", first, locale=language.locale)
        if months == 3 and first.month % 3 == 1:
            return dates.format_date(first, "y年QQQQ" if language.code == "zh_CN" else "QQQQ y", language.locale)
        if months == 1:
            return dates.format_skeleton("yMMMM", first, locale=language.locale)
    return language.translate("%(first)s to %(last)s", first=_day(first, language), last=_day(last, language))


def _day(day: date, language: Language) -> str:
    return dates.format_date(day, "long", locale=language.locale)


class _Summary:
    def __init__(self, found: PeriodSummary, options: SummaryOptions, language: Language) -> None:
        self._found, self._options, self._language = found, options, language
        self._translate = language.translate
        self._days = {"from": options.first.isoformat(), "to": options.last.isoformat()}

    def document(self) -> Document:
        """Put the sections together."""
        translate, options = self._translate, self._options
        period = period_name(options.first, options.last, self._language)
        title = translate("Summary of wildlife protection work, %(period)s", period=period)
        blocks = [
            *self._opening(),
            Heading(1, translate("1. Organisation and deployment")),
            *self._organisation(),
            Heading(1, translate("2. Patrols and checks")),
            self._patrols(),
            Heading(1, translate("3. Monitoring")),
            Heading(2, translate("(1) Mammals, birds and other animals")),
            *self._animals(),
            Heading(2, translate("(2) Human activity")),
            *self._people(),
            Heading(1, translate("4. Cases")),
            self._cases(),
            Heading(1, translate("5. Problems and suggestions")),
            *self._problems(),
            *self._signature(),
        ]
        return Document(self._language, tuple(filter(None, (options.unit, title))), tuple(blocks))

    def _opening(self) -> Iterator[Paragraph]:
        if self._options.addressee:
            text = self._translate("%(addressee)s:", addressee=self._options.addressee)
            yield Paragraph((Run(text),), "addressee")
        if simulated := self._found.watch.simulated:
            yield self._sentence(
                "NOT A REPORT OF REAL WORK: of %(stations)s stations, %(simulated)s are simulated, and the figures "
                "include what they sent.",
                simulated=Run(self._language.number(simulated)),
                stations=Run(self._language.number(len(self._found.watch.stations))),
            )
        first, last = (_day(day, self._language) for day in (self._options.first, self._options.last))
        yield self._sentence(
            "The work from %(first)s to %(last)s is summarised below.", first=Run(first), last=Run(last)
        )

    def _organisation(self) -> Iterator[Paragraph]:
        watch = self._found.watch
        yield self._sentence("Patrol teams: %(teams)s.", teams=self._blank("patrol teams"))
        if watch.watched_days is None:
            yield self._sentence(
                "Monitoring stations: %(stations)s. No working time was reported, so it is not known.",
                stations=self._figure(len(watch.stations), "stations"),
            )
            return
        share = watch.watched_share or 0.0
        yield self._sentence(
            "Monitoring stations: %(stations)s, with %(sensors)s sensors; they worked %(days)s sensor-days, "
            "%(share)s of the time that they accounted for.",
            stations=self._figure(len(watch.stations), "stations"),
            sensors=self._figure(watch.sensors, "stations"),
            days=self._figure(round(watch.watched_days, 1), "trends"),
            share=Run(f"{100 * share:.1f}%", self._address("trends")),
        )

    def _patrols(self) -> Paragraph:
        return self._sentence(
            "People sent out: %(people)s; vehicles: %(vehicles)s; mountains, habitats and resting places of migrants "
            "checked: %(places)s; bird nets removed: %(nets)s; traps collected: %(traps)s; animals rescued and "
            "released: %(rescued)s; markets and restaurants checked: %(markets)s.",
            people=self._blank("people sent out"),
            vehicles=self._blank("vehicles sent out"),
            places=self._blank("places checked"),
            nets=self._blank("bird nets removed"),
            traps=self._blank("traps collected"),
            rescued=self._blank("animals rescued and released"),
            markets=self._blank("markets and restaurants checked"),
        )

    def _animals(self) -> Iterator[Paragraph | Table]:
        found = self._found
        classes = Counter(one.class_name for one in found.species)
        levels = Counter(one.level for one in found.species)
        known = [one for one in found.species if one.class_name]
        yield self._sentence(
            "Captures received: %(captures)s. Independent records of animals: %(records)s, of %(taxa)s kinds, among "
            "them %(mammals)s of mammals and %(birds)s of birds; nationally protected at level I: %(first)s, at level "
            "II: %(second)s. Records of a kind at a station within 30 minutes count once.",
            captures=self._figure(found.captures, "?show=all"),
            records=self._figure(found.records, "trends"),
            taxa=self._figure(len(known), "trends"),
            mammals=self._figure(classes["Mammalia"], "trends"),
            birds=self._figure(classes["Aves"], "trends"),
            first=self._figure(levels[1], "trends"),
            second=self._figure(levels[2], "trends"),
        )
        if found.untimed:
            yield self._sentence(
                "Not counted, because the time is not known: %(untimed)s captures.",
                untimed=self._figure(found.untimed, "?show=all"),
            )
        if found.species:
            yield self._species_table(found.species[:MOST_SPECIES])
        rest = found.species[MOST_SPECIES:]
        if rest:
            records = self._figure(sum(one.records for one in rest), "trends")
            yield self._sentence(
                "Not in the table: %(taxa)s kinds with %(records)s records.",
                taxa=self._figure(len(rest), "trends"),
                records=records,
            )

    def _species_table(self, species: Sequence[SpeciesRecords]) -> Table:
        translate = self._translate
        header = (
            translate("kind"),
            translate("scientific name"),
            translate("level"),
            translate("records"),
            translate("per 100 sensor-days, with its interval"),
        )
        rows = [
            (
                Run(display_name(one.key, one.key, self._language.code)),
                Run(one.key if one.class_name else ""),
                Run({1: translate("I"), 2: translate("II")}.get(one.level or 0, "")),
                Run(self._language.number(one.records), self._address("trends", taxon=one.key)),
                Run(self._rate(one)),
            )
            for one in species
        ]
        return table(translate("Table 1. Animals by number of independent records"), header, rows)

    def _rate(self, one: SpeciesRecords) -> str:
        rate = one.rate
        if rate is None or rate.per_100_days is None or rate.low is None or rate.high is None:
            return self._translate("not known")
        return f"{rate.per_100_days:.2f} ({rate.low:.2f}\u2013{rate.high:.2f})"

    def _people(self) -> Iterator[Paragraph]:
        found = self._found.decisions
        yield self._sentence(
            "Flagged captures: %(flagged)s; confirmed by people: %(confirmed)s; dismissed: %(dismissed)s; not decided "
            "yet: %(open)s.",
            flagged=self._figure(found.flagged, "?show=all"),
            confirmed=self._figure(found.confirmed, "?show=reviewed"),
            dismissed=self._figure(found.dismissed, "?show=reviewed"),
            open=self._figure(found.open, ""),
        )
        if found.confirmed_by_kind:
            names = (
                self._translate(
                    "%(kind)s: %(number)s", kind=kind_name(kind, self._language), number=self._language.number(number)
                )
                for kind, number in found.confirmed_by_kind.items()
            )
            listed = self._translate("; ").join(names)
            yield self._sentence("Confirmed by kind: %(kinds)s.", kinds=Run(listed))
        if found.minutes_to_decision is not None:
            yield self._sentence(
                "Nine in ten were decided within %(minutes)s minutes of the flag.",
                minutes=Run(self._language.number(round(found.minutes_to_decision))),
            )

    def _cases(self) -> Paragraph:
        return self._sentence(
            "Cases accepted: %(accepted)s; administrative penalties: %(administrative)s; handed to the police: "
            "%(police)s; unfounded: %(unfounded)s; in hand: %(in_hand)s.",
            accepted=self._blank("cases accepted"),
            administrative=self._blank("administrative penalties"),
            police=self._blank("cases handed to the police"),
            unfounded=self._blank("unfounded cases"),
            in_hand=self._blank("cases in hand"),
        )

    def _problems(self) -> Iterator[Paragraph | Table]:
        translate, gaps = self._translate, self._found.station_gaps[:MOST_GAPS]
        if gaps:
            rows = [
                (Run(station), Run(self._cause(cause)), Run(f"{days:.1f}", self._address("stations")))
                for station, cause, days in gaps
            ]
            header = (translate("station"), translate("cause"), translate("sensor-days"))
            yield table(translate("Table 2. Longest gaps in monitoring"), header, rows)
        elif self._found.watch.watched_days is not None:
            yield self._sentence("The sensors reported no gap.")
        yield self._sentence("Suggestions: %(suggestions)s", suggestions=self._blank("suggestions"))

    def _cause(self, gap: str) -> str:
        return self._translate("switched off") if gap == "off" else kind_name(gap, self._language)

    def _signature(self) -> Iterator[Paragraph]:
        if self._options.unit:
            yield Paragraph((Run(self._options.unit),), "signature")
        yield Paragraph((Run(_day(self._options.written_on, self._language)),), "signature")

    def _sentence(self, text: str, **figures: Run) -> Paragraph:
        return paragraph(self._language, text, figures)

    def _figure(self, value: float, page: str) -> Run:
        return Run(self._language.number(value), self._address(page))

    def _blank(self, name: str) -> Run:
        return Run("", blank=self._translate(name))

    def _address(self, page: str, **more: str) -> str:
        if page == "trends":
            return f"{page}?{urlencode(self._days | more)}"
        return page or "."
