"""Spectrogram of a sound as a PNG picture, with frames around the detections."""

from collections.abc import Sequence
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from captures.decoded import Sound, Unreadable
from contract import Span

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw

LEFT_PX, BOTTOM_PX, TOP_PX, RIGHT_PX = 44, 24, 8, 10  # margins for the axes
_FRAME_S = 0.021  # 1,024 samples at 48 kHz: shots stay sharp, and tones 50 Hz apart are separated
_RANGE_DB = 65.0
_DARKEST_DB = -120.0  # level at which silence is drawn
# From dark to light through green: readable in sunlight and with red-green colour blindness.
_COLOURS = (
    (0.0, (8, 14, 20)),
    (0.4, (18, 78, 70)),
    (0.7, (74, 160, 98)),
    (0.88, (214, 216, 110)),
    (1.0, (255, 252, 220)),
)
_INK, _PAPER, _MARK = (226, 232, 228), (16, 22, 26), (255, 176, 60)


def spectrogram_png(
    sound: Sound,
    spans: Sequence[Span] = (),
    width_px: int = 960,
    height_px: int = 320,
    highest_hz: float = 12_000.0,
) -> bytes:
    """Draw the spectrogram of a sound, with a frame around each span.

    Args:
        sound: The sound to draw.
        spans: Spans to frame in time, and in frequency if they have frequency bounds.
        width_px: Width of the picture, axes included.
        height_px: Height of the picture, axes included.
        highest_hz: Frequency at the top edge, at most half the sample rate.

    Returns:
        A PNG file.

    Raises:
        Unreadable: the sound is empty.
    """
    from PIL import Image, ImageDraw

    if not sound.samples.size:
        raise Unreadable("cannot draw a sound of no samples: expected at least one")
    top_hz = min(highest_hz, sound.rate_hz / 2)
    columns, rows = width_px - LEFT_PX - RIGHT_PX, height_px - TOP_PX - BOTTOM_PX
    if columns < 50 or rows < 50:
        raise ValueError(f"a picture of {width_px} x {height_px} pixels: expected at least 104 x 82")
    picture = Image.new("RGB", (width_px, height_px), _PAPER)
    picture.paste(Image.fromarray(_coloured(loudness_db(sound, columns, rows, top_hz))), (LEFT_PX, TOP_PX))
    pen = ImageDraw.Draw(picture)
    _axes(pen, columns, rows, sound.duration_s, top_hz)
    for span in spans:
        left, right = (LEFT_PX + _share(at, sound.duration_s) * columns for at in (span.start_s, span.end_s))
        upper = TOP_PX + (1 - _share(top_hz if span.high_hz is None else span.high_hz, top_hz)) * rows
        lower = TOP_PX + (1 - _share(span.low_hz or 0.0, top_hz)) * rows
        pen.rectangle((left, upper, max(right - 1, left + 1), max(lower - 1, upper + 1)), outline=_MARK, width=2)
    file = BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def loudness_db(sound: Sound, columns: int, rows: int, top_hz: float) -> NDArray[np.float32]:
    """Compute a sound's level by frequency and time.

    Every sample is used, however few columns there are: each column shows the maximum of its frames, so that a shot in
    a long recording stays visible.

    Returns:
        (rows, columns) float32, in dB relative to a full-scale tone, highest frequency first.
    """
    length = 1 << max(6, round(np.log2(_FRAME_S * sound.rate_hz)))
    samples = sound.samples
    if samples.size < length:
        samples = np.pad(samples, (0, length - samples.size))
    count = max(columns, 2 * (samples.size // length))
    starts = np.linspace(0, samples.size - length, count).astype(np.int64)
    window = np.hanning(length).astype(np.float32)
    columns_of = np.arange(count) * columns // count
    result = np.full((length // 2 + 1, columns), -np.inf, np.float32)
    for column in range(columns):  # column by column: all frames of an hour would take gigabytes
        frames = samples[starts[columns_of == column][:, None] + np.arange(length)] * window
        power = np.square(np.abs(np.fft.rfft(frames, axis=1))).max(axis=0) / (length / 4) ** 2
        result[:, column] = 10 * np.log10(power + 1e-12)
    pitches = np.linspace(top_hz, 0, rows) * length / sound.rate_hz
    lower = np.minimum(pitches.astype(np.int64), len(result) - 2)
    part = (pitches - lower).astype(np.float32)[:, None]
    drawn: NDArray[np.float32] = result[lower] * (1 - part) + result[lower + 1] * part
    return drawn


def _coloured(decibels: NDArray[np.float32]) -> NDArray[np.uint8]:
    brightest = max(float(np.percentile(decibels, 99.8)), _DARKEST_DB + _RANGE_DB)  # silence stays dark
    shade = np.clip((decibels - brightest + _RANGE_DB) / _RANGE_DB, 0, 1)
    places = [place for place, _ in _COLOURS]
    channels = [np.interp(shade, places, [colour[channel] for _, colour in _COLOURS]) for channel in range(3)]
    return np.stack(channels, axis=-1).astype(np.uint8)


def _axes(pen: "ImageDraw", columns: int, rows: int, duration_s: float, top_hz: float) -> None:
    for hertz in _ticks(top_hz, rows / 34):
        y = TOP_PX + (1 - hertz / top_hz) * rows
        pen.line((LEFT_PX - 5, y, LEFT_PX - 1, y), fill=_INK)
        pen.text((LEFT_PX - 8, y), f"{hertz / 1000:g}", fill=_INK, anchor="rm")
    pen.text((4, TOP_PX + rows + 6), "kHz", fill=_INK)
    for second in _ticks(duration_s, columns / 80):
        x = LEFT_PX + second / duration_s * columns
        pen.line((x, TOP_PX + rows, x, TOP_PX + rows + 4), fill=_INK)
        pen.text((min(x, LEFT_PX + columns - 14), TOP_PX + rows + 6), f"{second:g} s", fill=_INK, anchor="ma")


def _ticks(end: float, most: float) -> list[float]:
    """Return about ``most`` round numbers from 0 to ``end``, with steps of 1, 2 or 5 times a power of ten."""
    least = end / max(most, 1)
    power = 10.0 ** np.floor(np.log10(least))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= least * (1 - 1e-9))
    return [float(round(step * number, 6)) for number in range(int(end / step * (1 + 1e-9)) + 1)]


def _share(value: float, whole: float) -> float:
    return min(max(value / whole, 0.0), 1.0)
