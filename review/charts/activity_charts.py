"""Charts of activity: density over the day, the same around a clock, and rates by month and hour."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import cos, pi, sin

from markupsafe import Markup, escape

from i18n.language import Language
from pipelines.activity.bootstrap import ActivityCurve
from pipelines.activity.daily_activity import HeatMap
from review.charts.frame import Frame, points, svg, ticks

WIDE = Frame(640, 330, 44, 628, 14, 292)
PHONE = Frame(350, 270, 40, 338, 14, 232)
_CLOCK, _RADIUS = 280, 110
_MONTHS = 12


@dataclass(frozen=True, slots=True)
class Night:
    """Sunrise and sunset in hours of the day; what is outside is shaded."""

    sunrise: float
    sunset: float


def density_chart(
    curves: Sequence[ActivityCurve], night: Night | None, title: str, language: Language, frame: Frame
) -> Markup:
    """Draw one or two densities over the day, with their intervals."""
    scale = ticks(max(float(curve.high.max()) for curve in curves))
    return svg(frame.width, frame.height, title, _density_parts(curves, night, scale, language, frame))


def _density_parts(
    curves: Sequence[ActivityCurve], night: Night | None, scale: Sequence[float], language: Language, frame: Frame
) -> Iterator[str]:
    def x(hour: float) -> float:
        return frame.left + hour / 24 * frame.inner

    def y(value: float) -> float:
        return frame.y(value, scale[-1])

    if night is not None:
        for start, end in ((0.0, night.sunrise), (night.sunset, 24.0)):
            width = max(0.0, x(end) - x(start))
            height = frame.bottom - frame.top
            yield f'<rect class="night" x="{x(start):.1f}" y="{frame.top}" width="{width:.1f}" height="{height}"/>'
    for number, tick in enumerate(scale):
        yield f'<path class="{"gridl" if number else "axis"}" d="M{frame.left} {y(tick):.1f}H{frame.right}"/>'
        text = escape(language.number(round(tick, 4)))
        yield f'<text class="e" x="{frame.left - 7}" y="{y(tick) + 4:.1f}">{text}</text>'
    for hour in range(0, 25, 3 if frame.inner > 400 else 6):
        yield f'<text class="m" x="{x(hour):.1f}" y="{frame.bottom + 20}">{hour:02}:00</text>'
    for number, curve in enumerate(curves, 1):
        hours = [*curve.hours.tolist(), 24.0]
        low, line, high = ([*part.tolist(), float(part[0])] for part in (curve.low, curve.density, curve.high))
        band = [(x(hour), y(value)) for hour, value in zip(hours, high, strict=True)]
        band += [(x(hour), y(value)) for hour, value in zip(hours[::-1], low[::-1], strict=True)]
        drawn = points([(x(hour), y(value)) for hour, value in zip(hours, line, strict=True)])
        yield f'<path class="f{number} ribbon" d="{points(band)}Z"/><path class="l{number}" d="{drawn}"/>'


def clock_chart(curves: Sequence[ActivityCurve], night: Night | None, title: str) -> Markup:
    """Draw densities around a clock of 24 hours, midnight at the top."""
    return svg(_CLOCK, _CLOCK, title, _clock_parts(curves, night))


def _clock_parts(curves: Sequence[ActivityCurve], night: Night | None) -> Iterator[str]:
    middle = _CLOCK / 2

    def at(hour: float, radius: float) -> tuple[float, float]:
        angle = hour / 24 * 2 * pi
        return middle + radius * sin(angle), middle - radius * cos(angle)

    if night is not None:
        (x1, y1), (x2, y2) = at(night.sunset, _RADIUS), at(night.sunrise, _RADIUS)
        large = int((night.sunrise - night.sunset) % 24 > 12)
        yield (
            f'<path class="night" d="M{middle} {middle}L{x1:.1f} {y1:.1f}A{_RADIUS} {_RADIUS} 0 {large} 1 '
            f'{x2:.1f} {y2:.1f}Z"/>'
        )
    for radius in (_RADIUS, _RADIUS / 2):
        yield f'<circle class="frame-line" cx="{middle}" cy="{middle}" r="{radius}"/>'
    for hour in range(0, 24, 3):
        x, y = at(hour, _RADIUS + 14)
        yield f'<text class="m" x="{x:.1f}" y="{y + 4:.1f}">{hour:02}</text>'
    largest = max(float(curve.density.max()) for curve in curves)
    for number, curve in enumerate(curves, 1):
        way = [
            at(hour, _RADIUS * value / largest)
            for hour, value in zip(curve.hours.tolist(), curve.density.tolist(), strict=True)
        ]
        yield f'<path class="f{number} ribbon" d="{points(way)}Z"/><path class="l{number}" d="{points(way)}Z"/>'


def heat_chart(found: HeatMap, title: str, language: Language, width: int) -> Markup:
    """Draw rates by month and hour: the darker, the higher; hatched where the effort is not known."""
    return svg(width, 15 * _MONTHS + 24, title, _heat_parts(found, language, width))


def _heat_parts(found: HeatMap, language: Language, width: int) -> Iterator[str]:
    left = 36
    step = (width - left) / 24
    largest = max((rate for row in found.rates for rate in row if rate), default=0.0)
    for month, row in enumerate(found.rates):
        y = 15 * month
        yield f'<text class="e" x="{left - 6}" y="{y + 12}">{escape(language.month(month + 1))}</text>'
        for hour, rate in enumerate(row):
            x = left + hour * step
            place = f'x="{x:.1f}" y="{y}" width="{step - 1:.1f}" height="14"'
            if rate is None:
                yield f'<rect class="gapr" {place}/>'
            else:
                tip = escape(f"{language.month(month + 1)} {hour:02}:00: {language.number(round(rate, 2))}")
                opacity = 0.06 + 0.94 * rate / largest if largest else 0.06
                yield f'<rect class="heat" {place} opacity="{opacity:.2f}"><title>{tip}</title></rect>'
    for hour in range(0, 24, 6):
        yield f'<text class="m" x="{left + (hour + 0.5) * step:.1f}" y="{15 * _MONTHS + 16}">{hour:02}</text>'
