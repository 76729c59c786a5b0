"""Charts of seasons: rates by phase of the moon, and a calendar of daily rates."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import timedelta
from math import cos, pi

from markupsafe import Markup, escape

from i18n.language import Language
from pipelines.activity.phenology import Season, daily_rates
from pipelines.trends.rates import Rate
from review.charts.frame import Frame, svg, ticks

PHASES = Frame(350, 210, 40, 338, 14, 170)
_MOON = 9  # radius
_LEFT, _TOP, _WEEKS = 36, 18, 54
LEVELS = 4  # shades of days with records
_FAINT = 0.08


def phase_chart(rates: Sequence[Rate], title: str, language: Language) -> Markup:
    """Draw the rates of the phases of the moon as bars with intervals; hatched where the rate is not known."""
    return svg(PHASES.width, PHASES.height, title, _phase_parts(rates, language))


def _phase_parts(rates: Sequence[Rate], language: Language) -> Iterator[str]:
    frame = PHASES
    scale = ticks(max((rate.high or 0.0 for rate in rates), default=0.0))
    step = frame.inner / len(rates)
    for number, tick in enumerate(scale):
        y = frame.y(tick, scale[-1])
        yield f'<path class="{"gridl" if number else "axis"}" d="M{frame.left} {y:.1f}H{frame.right}"/>'
        yield f'<text class="e" x="{frame.left - 7}" y="{y + 4:.1f}">{escape(language.number(round(tick, 4)))}</text>'
    for number, rate in enumerate(rates):
        middle = frame.left + (number + 0.5) * step
        width = 0.6 * step
        if rate.per_100_days is None:
            place = f'x="{middle - width / 2:.1f}" y="{frame.top}" width="{width:.1f}"'
            yield f'<rect class="gapr" {place} height="{frame.bottom - frame.top}"/>'
        else:
            low, value, high = (frame.y(one or 0.0, scale[-1]) for one in (rate.low, rate.per_100_days, rate.high))
            place = f'x="{middle - width / 2:.1f}" y="{value:.1f}" width="{width:.1f}"'
            yield f'<rect class="f1 dim" {place} height="{frame.bottom - value:.1f}"/>'
            yield f'<path class="l1" d="M{middle:.1f} {low:.1f}V{high:.1f}"/>'
        yield _moon(middle, frame.bottom + 22, number / len(rates))


def _moon(x: float, y: float, phase: float) -> str:
    """Draw the moon as north of the tropics: a waxing moon is lit on its right; phase 0 is new, 0.5 full."""
    waxing, bulge = phase <= 0.5, _MOON * cos(2 * pi * phase)
    limb, back = ("1", "0" if bulge > 0 else "1") if waxing else ("0", "1" if bulge > 0 else "0")
    lit = (
        f"M{x:.1f} {y - _MOON}A{_MOON} {_MOON} 0 0 {limb} {x:.1f} {y + _MOON}"
        f"A{abs(bulge):.2f} {_MOON} 0 0 {back} {x:.1f} {y - _MOON}Z"
    )
    return f'<circle class="moon" cx="{x:.1f}" cy="{y}" r="{_MOON}"/><path class="lit" d="{lit}"/>'


def calendar_chart(season: Season, largest: float, title: str, language: Language, width: int) -> Markup:
    """Draw each day of a season as a square, a column for each week: the darker, the higher the rate.

    Args:
        season: The season.
        largest: Rate of the darkest days.
        title: What the chart shows, for screen readers.
        language: Language of the labels.
        width: Width in user units.
    """
    step = (width - _LEFT) / _WEEKS
    return svg(width, round(_TOP + 7 * step + 2), title, _calendar_parts(season, largest, language, step))


def _calendar_parts(season: Season, largest: float, language: Language, step: float) -> Iterator[str]:
    begin = season.first_day - timedelta(days=season.first_day.weekday())
    by_kind: dict[str, list[str]] = defaultdict(list)
    for number, rate in enumerate(daily_rates(season)):
        day = season.first_day + timedelta(days=number)
        column = (day - begin).days // 7
        x, y, size = _LEFT + column * step, _TOP + day.weekday() * step, step * 0.86
        by_kind[_kind(rate, largest)].append(f"M{x:.1f} {y:.1f}h{size:.1f}v{size:.1f}h-{size:.1f}z")
        if day.day == 1 and (step > 10 or day.month % 3 == 1):
            yield f'<text x="{x:.1f}" y="{_TOP - 6}">{escape(language.month(day.month))}</text>'
    for weekday in (0, 2, 4) if step > 10 else (0, 6):
        name = escape(language.weekday(weekday))
        yield f'<text class="e" x="{_LEFT - 6}" y="{_TOP + (weekday + 0.75) * step:.1f}">{name}</text>'
    for kind, squares in sorted(by_kind.items()):
        yield f'<path {kind} d="{"".join(squares)}"/>'


def _kind(rate: float | None, largest: float) -> str:
    """Return class and opacity of a day."""
    if rate is None:
        return 'class="gapr"'
    level = min(LEVELS, 1 + int(LEVELS * rate / largest)) if rate and largest else 0
    return f'class="heat" opacity="{_FAINT + (1 - _FAINT) * level / LEVELS:.2f}"'
