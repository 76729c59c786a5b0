"""Speaks to each reader in their language: chosen words, dates and numbers, Chinese first."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from babel import Locale, dates, numbers
from babel.support import NullTranslations, Translations

LANGUAGES = ("zh_CN", "en")
FOLDER = Path(__file__).parent / "translations"


@dataclass(frozen=True)
class Language:
    """One language with its words and its ways of writing dates and numbers."""

    code: str
    locale: Locale
    words: NullTranslations
    zone: ZoneInfo

    def say(self, text: str, **values: object) -> str:
        """Translate a sentence and fill in its values."""
        said = self.words.ugettext(text)
        return said % values if values else said

    def when(self, moment: datetime) -> str:
        """Write a moment in local time, to the second."""
        return dates.format_datetime(moment, "medium", tzinfo=self.zone, locale=self.locale)

    def time_beside(self, moment: datetime, beside: datetime) -> str:
        """Write a moment next to another one: without its day where that is the same."""
        if moment.astimezone(self.zone).date() != beside.astimezone(self.zone).date():
            return self.when(moment)
        return dates.format_time(moment, "medium", tzinfo=self.zone, locale=self.locale)

    def between(self, first: datetime, last: datetime) -> str:
        """Write a stretch of time, saying once what both ends share."""
        begins, ends = self.when(first), self.time_beside(last, first)
        return begins if self.when(last) == begins else f"{begins} – {ends}"

    def day(self, day: date) -> str:
        """Write a day."""
        return dates.format_date(day, "medium", locale=self.locale)

    def month_day(self, text: str) -> str:
        """Write a day of every year, given as 03-01."""
        return dates.format_skeleton("MMMd", date.fromisoformat(f"2000-{text}"), locale=self.locale)

    def ago(self, moment: datetime, now: datetime) -> str:
        """Write how long ago something was."""
        return dates.format_timedelta(moment - now, add_direction=True, locale=self.locale)

    def lasting(self, time: timedelta) -> str:
        """Write how long something lasted."""
        return dates.format_timedelta(time, locale=self.locale)

    def number(self, value: float) -> str:
        """Write a number with its separators."""
        return numbers.format_decimal(value, locale=self.locale)

    def percent(self, value: float) -> str:
        """Write how sure a detector is as a percentage; 100 % is for what is certain, and no detector is."""
        return numbers.format_percent(min(value, 0.99), locale=self.locale)

    def size(self, count: int) -> str:
        """Write a number of bytes in the unit people would use."""
        value = float(count)
        for unit in ("B", "kB", "MB", "GB"):
            if value < 1000:
                return f"{numbers.format_decimal(round(value, 1), locale=self.locale)} {unit}"
            value /= 1000
        return f"{numbers.format_decimal(round(value, 1), locale=self.locale)} TB"


def load_languages(zone: ZoneInfo) -> dict[str, Language]:
    """Read every language's compiled words."""
    return {
        code: Language(code, Locale.parse(code), Translations.load(FOLDER, [code], domain="messages"), zone)
        for code in LANGUAGES
    }
