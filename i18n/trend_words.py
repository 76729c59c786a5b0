"""Names of periods and sentences about trends, for pages and reports."""

from datetime import date
from typing import Protocol

from i18n.language import Language


class NamedPeriod(Protocol):
    """A period with its name and first day."""

    @property
    def name(self) -> str:
        """Name of the period."""
        ...

    @property
    def first(self) -> date:
        """First day."""
        ...


def period_name(period: NamedPeriod, unit: str, language: Language) -> str:
    """Return the name of a period: 2026-05-31, 2026-W22, 2026-05, spring 2026 or 2026."""
    if unit != "season":
        return period.name
    year, _, season = period.name.partition("-")
    return _season(season, language, year)


def short_period(period: NamedPeriod, unit: str, language: Language) -> str:
    """Return a short name of a period for an axis: 05-31, W22, 26-05, spring 2026 or 2026."""
    if unit == "day":
        return f"{period.first:%m-%d}"
    if unit == "week":
        return period.name[2:]
    return period.name[2:] if unit == "month" else period_name(period, unit, language)


def _season(season: str, language: Language, year: str) -> str:
    translate = language.translate
    names = {
        "spring": translate("spring %(year)s", year=year),
        "summer": translate("summer %(year)s", year=year),
        "autumn": translate("autumn %(year)s", year=year),
        "winter": translate("winter %(year)s", year=year),
    }
    return names[season]
