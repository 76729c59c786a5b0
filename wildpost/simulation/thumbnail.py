"""Drawn thumbnails of simulated captures; each says in the picture that it is simulated."""

import io
from functools import lru_cache
from random import Random
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from contract import Box
from contract.messages import ObservationType

_SIZE = (320, 240)
_HORIZON = 0.45  # of the height
_MAX_BOXES = 6
SCENES = 6  # different backgrounds
LAYOUTS = 4  # different arrangements of boxes for each number of animals


def boxes_of(kind: ObservationType, count: int, layout: int) -> tuple[Box, ...]:
    """Return the boxes of a number of animals, people or vehicles in one of ``LAYOUTS`` arrangements."""
    random = Random(f"{kind}/{count}/{layout}")  # noqa: S311, the same arrangement in every run
    width, height = {"human": (0.1, 0.3), "vehicle": (0.34, 0.26)}.get(kind, (0.2, 0.16))
    found = []
    for _ in range(min(count, _MAX_BOXES)):
        scale = random.uniform(0.7, 1.3)
        x = random.uniform(0.02, 0.98 - width * scale)
        y = random.uniform(_HORIZON, 0.9) - height * scale / 2
        place = (x, min(y, 0.98 - height * scale), width * scale, height * scale)
        found.append(Box(*(round(value, 3) for value in place)))
    return tuple(found)


@lru_cache(maxsize=1024)  # 1024 thumbnails of about 5 kB
def draw_thumbnail(kind: ObservationType, boxes: tuple[Box, ...], night: bool, scene: int) -> bytes:
    """Draw a landscape with a shape in each box, and the word SIMULATED, as JPEG.

    Args:
        kind: What the shapes stand for.
        boxes: Places of the shapes; empty: a landscape alone.
        night: Whether the picture is a grey one, as by infrared light.
        scene: Number of the landscape, below ``SCENES``.
    """
    width, height = _SIZE
    random = Random(scene)  # noqa: S311, the same landscape in every run
    picture = Image.new("RGB", _SIZE, "#3a3f3c" if night else "#c5d6de")
    draw = ImageDraw.Draw(picture)
    ridge = [(x, height * (_HORIZON - 0.12 * random.random())) for x in range(0, width + 40, 40)]
    draw.polygon([(0, height), *ridge, (width, height)], fill="#565c58" if night else "#7d9a78")
    draw.rectangle((0, height * _HORIZON, width, height), fill="#6d736f" if night else "#93a574")
    for _ in range(14):
        x, foot, size = random.uniform(0, width), height * random.uniform(_HORIZON, 1.05), random.uniform(14, 46)
        draw.rectangle((x - 2, foot - size, x + 2, foot), fill="#2c302e" if night else "#5b4630")
        crown = (x - size / 2, foot - 2 * size, x + size / 2, foot - size / 2)
        draw.ellipse(crown, fill="#474d49" if night else "#4d7048")
    ink = "#d9dedb" if night else "#3b2f26"
    for box in boxes:
        _draw_shape(draw, kind, (box.x * width, box.y * height, box.width * width, box.height * height), ink)
    draw.rectangle((0, height - 26, width, height), fill="#101613")
    draw.text((8, height - 23), "SIMULATED", fill="#f3e134", font=ImageFont.load_default(16))
    written = io.BytesIO()
    picture.save(written, "JPEG", quality=70)
    return written.getvalue()


def _draw_shape(draw: Any, kind: ObservationType, place: tuple[float, float, float, float], ink: str) -> None:
    x, y, width, height = place
    if kind == "human":
        draw.ellipse((x + 0.3 * width, y, x + 0.7 * width, y + 0.2 * height), fill=ink)
        draw.rectangle((x + 0.25 * width, y + 0.22 * height, x + 0.75 * width, y + 0.62 * height), fill=ink)
        for left in (0.28, 0.56):
            draw.rectangle((x + left * width, y + 0.6 * height, x + (left + 0.16) * width, y + height), fill=ink)
    elif kind == "vehicle":
        draw.rectangle((x + 0.2 * width, y, x + 0.75 * width, y + 0.5 * height), fill=ink)
        draw.rectangle((x, y + 0.4 * height, x + width, y + 0.8 * height), fill=ink)
        for left in (0.12, 0.66):
            draw.ellipse((x + left * width, y + 0.62 * height, x + (left + 0.22) * width, y + height), fill="#000")
    else:
        draw.ellipse((x, y + 0.2 * height, x + 0.8 * width, y + 0.75 * height), fill=ink)
        draw.ellipse((x + 0.65 * width, y, x + width, y + 0.45 * height), fill=ink)
        for left in (0.12, 0.3, 0.5, 0.68):
            draw.rectangle((x + left * width, y + 0.6 * height, x + (left + 0.07) * width, y + height), fill=ink)
