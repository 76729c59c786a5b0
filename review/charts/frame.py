"""Size of a chart and its scales."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True, slots=True)
class Frame:
    """Area of a plot in an SVG, in its user units; one for wide screens, one for phones."""

    width: int
    height: int
    left: int
    right: int
    top: int
    bottom: int

    @property
    def inner(self) -> int:
        """Width of the plot."""
        return self.right - self.left

    def y(self, value: float, largest: float) -> float:
        """Return the height of a value between 0, at the bottom, and ``largest``, at the top; more is cut off."""
        share = min(value / largest, 1.0) if largest > 0 else 0.0
        return self.bottom - share * (self.bottom - self.top)


def svg(width: int, height: int, title: str, parts: Iterable[str]) -> Markup:
    """Return an SVG with the given parts; the texts in them must be escaped."""
    head = f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(title)}">'
    return Markup(head + "".join(parts) + "</svg>")  # noqa: S704, texts are escaped


def ticks(largest: float, count: int = 4) -> list[float]:
    """Return round values from 0 to at least ``largest``, about ``count`` steps."""
    if largest <= 0 or not math.isfinite(largest):
        return [0.0, 1.0]
    rough = largest / count
    power: float = 10.0 ** math.floor(math.log10(rough))
    step = next(step * power for step in _STEPS if step * power >= rough * (1 - 1e-9))
    return [step * number for number in range(math.ceil(largest / step - 1e-9) + 1)]


def points(pairs: Sequence[tuple[float, float]]) -> str:
    """Return the path through points as SVG path data; empty without points."""
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in pairs) if pairs else ""


def every(count: int, room: float, needed: float) -> int:
    """Return which labels of ``count`` fit: every n-th, where each needs ``needed`` of ``room``."""
    return max(1, math.ceil(count * needed / room))
