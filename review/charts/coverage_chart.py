"""Chart of working hours: for each station and hour of the day, how much of it was watched."""

from collections.abc import Iterator, Sequence

from markupsafe import Markup, escape

from pipelines.coverage.working_hours import HOURS, WorkingHours
from review.charts.frame import Frame, svg

WIDE, PHONE = Frame(920, 0, 150, 912, 6, 0), Frame(350, 0, 78, 346, 6, 0)
_ROW, _FAINT = 16, 0.08
_CHARACTER = 7.5  # width of a letter of a name


def hours_chart(hours: Sequence[WorkingHours], title: str, frame: Frame) -> Markup:
    """Draw a row for each station: the darker an hour, the more of it was watched; hatched where nothing is known."""
    return svg(frame.width, frame.top + _ROW * len(hours) + 22, title, _parts(hours, frame))


def _parts(hours: Sequence[WorkingHours], frame: Frame) -> Iterator[str]:
    step = frame.inner / HOURS
    longest = int((frame.left - 12) / _CHARACTER)
    for row, one in enumerate(hours):
        y = frame.top + row * _ROW
        name = one.station if len(one.station) <= longest else f"{one.station[: longest - 1]}…"
        yield f'<text class="e" x="{frame.left - 6}" y="{y + 12}">{escape(name)}</text>'
        for hour, share in enumerate(one.by_hour.tolist()):
            place = f'x="{frame.left + hour * step:.1f}" y="{y}" width="{step - 1:.1f}" height="{_ROW - 2}"'
            if share != share:
                yield f'<rect class="gapr" {place}/>'
            else:
                yield f'<rect class="heat" {place} opacity="{_FAINT + (1 - _FAINT) * share:.2f}"/>'
    for hour in range(0, HOURS, 6):
        x, y = frame.left + (hour + 0.5) * step, frame.top + _ROW * len(hours) + 14
        yield f'<text class="m" x="{x:.1f}" y="{y}">{hour:02}</text>'
