"""Chart of rates by period: estimate, interval, gaps where nothing is known, effort below, changes as lines."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from markupsafe import Markup, escape

from i18n.language import Language
from i18n.trend_words import period_name, short_period
from pipelines.trends.changes import Change
from pipelines.trends.periods import Period, Unit
from pipelines.trends.rate_trend import Cell
from review.charts.frame import Frame, every, points, svg, ticks

WIDE = Frame(940, 420, 44, 928, 26, 302)
PHONE = Frame(350, 360, 40, 338, 26, 242)
_EFFORT_TOP, _EFFORT_HEIGHT = 26, 58  # below the plot
_MAX_DOTS = 80  # more periods are drawn as a line only
_LABELLED_CHANGES = 3
_LARGEST_OF_RATE = 4.0  # intervals that reach further above the highest rate are cut off


def rate_chart(
    periods: Sequence[Period],
    cells: Sequence[Cell],
    changes: Sequence[Change],
    unit: Unit,
    title: str,
    language: Language,
    frame: Frame,
) -> Markup:
    """Draw rates by period.

    Args:
        periods: The periods.
        cells: Rate of each period.
        changes: Changes of models and sensors.
        unit: Length of the periods.
        title: What the chart shows, for screen readers.
        language: Language of the labels.
        frame: Size of the chart.
    """
    draw = _RateChart(periods, cells, unit, language, frame)
    parts = [
        *draw.grid(),
        *draw.gaps(),
        *draw.rates(),
        *draw.changes(changes),
        *draw.effort(),
        *draw.names(),
    ]
    return svg(frame.width, frame.height, title, parts)


class _RateChart:
    def __init__(
        self, periods: Sequence[Period], cells: Sequence[Cell], unit: Unit, language: Language, frame: Frame
    ) -> None:
        self._periods, self._cells, self._unit = periods, cells, unit
        self._language, self._frame = language, frame
        self._step = frame.inner / max(1, len(periods))
        known = [cell.rate for cell in cells if cell.rate.per_100_days is not None]
        highest = max((rate.per_100_days or 0.0 for rate in known), default=0.0)
        limit = max((rate.high or 0.0 for rate in known), default=0.0)
        self._ticks = ticks(min(limit, _LARGEST_OF_RATE * highest) if highest else limit)

    def _x(self, number: float) -> float:
        return self._frame.left + (number + 0.5) * self._step

    def _y(self, value: float) -> float:
        return self._frame.y(value, self._ticks[-1])

    def grid(self) -> Iterator[str]:
        """Draw the axis, the lines of the grid and their values."""
        frame = self._frame
        for number, tick in enumerate(self._ticks):
            y = self._y(tick)
            kind = "gridl" if number else "axis"
            yield f'<path class="{kind}" d="M{frame.left} {y:.1f}H{frame.right}"/>'
            text = escape(self._language.number(round(tick, 4)))
            yield f'<text class="e" x="{frame.left - 7}" y="{y + 4:.1f}">{text}</text>'

    def gaps(self) -> Iterator[str]:
        """Hatch the periods of which no effort is known."""
        frame = self._frame
        for known, run in self._runs():
            if known:
                continue
            x, width = frame.left + run[0] * self._step, len(run) * self._step
            height = frame.bottom - frame.top
            yield f'<rect class="gapr" x="{x:.1f}" y="{frame.top}" width="{width:.1f}" height="{height}"/>'
            if width > 50:
                text = escape(self._language.translate("not known"))
                yield f'<text class="m ink" x="{x + width / 2:.1f}" y="{frame.top - 8}">{text}</text>'

    def rates(self) -> Iterator[str]:
        """Draw the interval, the line and the points of each stretch of known periods."""
        for known, run in self._runs():
            if not known:
                continue
            rates = [self._cells[number].rate for number in run]
            upper = [(self._x(number), self._y(rate.high or 0)) for number, rate in zip(run, rates, strict=True)]
            lower = [(self._x(number), self._y(rate.low or 0)) for number, rate in zip(run, rates, strict=True)]
            line = [(self._x(number), self._y(rate.per_100_days or 0)) for number, rate in zip(run, rates, strict=True)]
            if len(run) == 1:
                (x, high), (_, low) = upper[0], lower[0]
                width = min(24.0, self._step * 0.6)
                yield (
                    f'<rect class="f1 ribbon" x="{x - width / 2:.1f}" y="{high:.1f}" width="{width:.1f}" '
                    f'height="{low - high:.1f}"/>'
                )
            yield f'<path class="f1 ribbon" d="{points(upper + lower[::-1])}Z"/><path class="l1" d="{points(line)}"/>'
            for number, (x, y) in zip(run, line, strict=True):
                if len(self._periods) <= _MAX_DOTS:
                    tip = escape(self._tip(number))
                    yield f'<circle class="f1 dot" cx="{x:.1f}" cy="{y:.1f}" r="3.6"><title>{tip}</title></circle>'

    def _tip(self, number: int) -> str:
        rate = self._cells[number].rate
        values = [self._language.number(round(value or 0, 2)) for value in (rate.per_100_days, rate.low, rate.high)]
        return (
            f"{period_name(self._periods[number], self._unit, self._language)}: {values[0]} ({values[1]} – {values[2]})"
        )

    def changes(self, found: Sequence[Change]) -> Iterator[str]:
        """Draw a dashed line at each change of a model or sensor."""
        frame = self._frame
        bottom = frame.bottom + _EFFORT_TOP + _EFFORT_HEIGHT
        labelled = 0
        for change in found:
            inside = (n for n, period in enumerate(self._periods) if period.first <= change.first <= period.last)
            number = next(inside, None)
            if number is None:
                continue
            period = self._periods[number]
            x = frame.left + (number + (change.first - period.first).days / period.days) * self._step
            tip = escape(f"{change.first}: {change.before} → {change.after}")
            yield f'<path class="cut" d="M{x:.1f} 20V{bottom}"><title>{tip}</title></path>'
            labelled += 1
            if labelled <= _LABELLED_CHANGES:
                end = x > (frame.left + frame.right) / 2
                anchor = ' class="e"' if end else ""
                text = escape(change.after[:24])
                yield f'<text{anchor} x="{x + (-5 if end else 5):.1f}" y="{8 + 11 * (labelled - 1)}">{text}</text>'

    def effort(self) -> Iterator[str]:
        """Draw the sensor-days of each period as bars."""
        frame = self._frame
        top = frame.bottom + _EFFORT_TOP
        low = Frame(frame.width, frame.height, frame.left, frame.right, top, top + _EFFORT_HEIGHT)
        scale = ticks(max((cell.rate.effort_days for cell in self._cells), default=0.0), 1)
        width = max(0.8, self._step * 0.66)
        for number, cell in enumerate(self._cells):
            x = self._x(number) - width / 2
            days = cell.rate.effort_days
            y = low.y(days, scale[-1]) if days else top
            kind = "f1 dim" if days else "gapr"
            yield f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{low.bottom - y:.1f}"/>'
        yield f'<path class="axis" d="M{frame.left} {low.bottom}H{frame.right}"/>'
        largest = escape(self._language.number(round(scale[-1], 2)))
        yield f'<text class="e" x="{frame.left - 7}" y="{top + 6}">{largest}</text>'
        yield f'<text class="e" x="{frame.left - 7}" y="{low.bottom}">0</text>'
        heading = escape(self._language.translate("sensor-days that worked"))
        yield f'<text x="{frame.left}" y="{top - 8}">{heading}</text>'

    def names(self) -> Iterator[str]:
        """Write the names of periods below the bars."""
        frame = self._frame
        y = frame.bottom + _EFFORT_TOP + _EFFORT_HEIGHT + 20
        step = every(len(self._periods), frame.inner, 58)
        for number in range(0, len(self._periods), step):
            text = escape(short_period(self._periods[number], self._unit, self._language))
            yield f'<text class="m" x="{self._x(number):.1f}" y="{y}">{text}</text>'

    def _runs(self) -> Iterator[tuple[bool, list[int]]]:
        """Yield runs of periods with known or with unknown effort."""
        for known, run in groupby(range(len(self._cells)), lambda n: self._cells[n].rate.per_100_days is not None):
            yield known, list(run)
