"""Translates texts and formats dates and numbers for a language; the default language is Chinese."""

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
    """A language: its translations and its formats of dates and numbers."""

    code: str
    locale: Locale
    translations: NullTranslations
    zone: ZoneInfo

    def translate(self, text: str, **values: object) -> str:
        """Translate a text and replace its ``%(name)s`` placeholders with the values."""
        translated = self.translations.ugettext(text)
        return translated % values if values else translated

    def date_time(self, moment: datetime) -> str:
        """Format a time as local date and time, to the second."""
        return dates.format_datetime(moment, "medium", tzinfo=self.zone, locale=self.locale)

    def short_time(self, moment: datetime, reference: datetime) -> str:
        """Format a time without the date if it is on the same local day as ``reference``, else with the date."""
        if moment.astimezone(self.zone).date() != reference.astimezone(self.zone).date():
            return self.date_time(moment)
        return dates.format_time(moment, "medium", tzinfo=self.zone, locale=self.locale)

    def time_range(self, first: datetime, last: datetime) -> str:
        """Format a time range; if both ends are on the same day, the date appears once."""
        start, end = self.date_time(first), self.short_time(last, first)
        return start if self.date_time(last) == start else f"{start} – {end}"

    def day(self, day: date) -> str:
        """Format a date in the language's medium format."""
        return dates.format_date(day, "medium", locale=self.locale)

    def month(self, number: int) -> str:
        """Return the short name of a month from 1 to 12."""
        return str(dates.get_month_names("abbreviated", locale=self.locale)[number])

    def weekday(self, number: int) -> str:
        """Return the shortest usual name of a weekday, 0 for Monday."""
        return str(dates.get_day_names("short", locale=self.locale)[number])

    def month_day(self, text: str) -> str:
        """Format a yearly date given as MM-DD, such as 03-01."""
        return dates.format_skeleton("MMMd", date.fromisoformat(f"2000-{text}"), locale=self.locale)

    def time_ago(self, moment: datetime, now: datetime) -> str:
        """Format the time since a moment, such as "3 minutes ago"."""
        return dates.format_timedelta(moment - now, add_direction=True, locale=self.locale)

    def duration(self, time: timedelta) -> str:
        """Format a duration in its largest unit, such as "3 minutes"."""
        return dates.format_timedelta(time, locale=self.locale)

    def number(self, value: float) -> str:
        """Format a number with the language's decimal and thousands separators."""
        return numbers.format_decimal(value, locale=self.locale)

    def percent(self, value: float) -> str:
        """Format a confidence (0 to 1) as a percentage of at most 99 %, since no detection is certain."""
        return numbers.format_percent(min(value, 0.99), locale=self.locale)

    def share(self, value: float) -> str:
        """Format a share (0 to 1) as a percentage with one decimal place."""
        return numbers.format_percent(value, format="0.0%", locale=self.locale)

    def size(self, count: int) -> str:
        """Format a number of bytes with a decimal unit from B to TB."""
        value = float(count)
        for unit in ("B", "kB", "MB", "GB"):
            if value < 1000:
                return f"{numbers.format_decimal(round(value, 1), locale=self.locale)} {unit}"
            value /= 1000
        return f"{numbers.format_decimal(round(value, 1), locale=self.locale)} TB"


def load_languages(zone: ZoneInfo) -> dict[str, Language]:
    """Load all languages with their compiled translations, by language code."""
    return {
        code: Language(code, Locale.parse(code), Translations.load(FOLDER, [code], domain="messages"), zone)
        for code in LANGUAGES
    }
