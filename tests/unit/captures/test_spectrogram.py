from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from captures.clip import decode_clip
from captures.decoded import Sound, Unreadable
from captures.sound import encode_clip, read_stretches
from captures.spectrogram import BOTTOM_PX, LEFT_PX, RIGHT_PX, TOP_PX, loudness_db, spectrogram_png
from contract import Span


def tone(hz: float, rate_hz: int = 48_000, seconds: float = 3.0) -> Sound:
    seconds_of = np.arange(round(rate_hz * seconds)) / rate_hz
    return Sound((0.5 * np.sin(2 * np.pi * hz * seconds_of)).astype(np.float32), rate_hz)


def pixels(data: bytes) -> NDArray[np.uint8]:
    with Image.open(BytesIO(data)) as picture:
        assert picture.format == "PNG"
        return np.asarray(picture)


@pytest.mark.parametrize("hz", [500.0, 3000.0, 9000.0])
@pytest.mark.parametrize("rate_hz", [22_050, 48_000, 192_000])
def test_a_tone_is_drawn_at_its_pitch(hz: float, rate_hz: int) -> None:
    top_hz = min(12_000.0, rate_hz / 2)
    drawn = loudness_db(tone(hz, rate_hz), 200, 481, top_hz)
    assert (1 - drawn.mean(axis=1).argmax() / 480) * top_hz == pytest.approx(hz, abs=60)
    assert drawn.max() == pytest.approx(-6, abs=1.5)


def test_a_click_in_a_long_recording_is_seen() -> None:
    samples = np.zeros(48_000 * 600, np.float32)
    samples[48_000 * 300 : 48_000 * 300 + 20] = 0.9
    drawn = loudness_db(Sound(samples, 48_000), 100, 100, 12_000)
    assert drawn[:, 49:51].max() > drawn[:, :45].max() + 40


def test_what_was_found_is_framed_in_time_and_pitch() -> None:
    plain = pixels(spectrogram_png(tone(3000), width_px=354, height_px=332))
    span = Span(start_s=1.0, end_s=2.0, low_hz=2000, high_hz=4000)
    marked = pixels(spectrogram_png(tone(3000), [span], width_px=354, height_px=332))
    rows, columns = np.nonzero((plain != marked).any(axis=2))
    width, height = 354 - LEFT_PX - RIGHT_PX, 332 - TOP_PX - BOTTOM_PX
    assert (columns.min() - LEFT_PX) / width == pytest.approx(1 / 3, abs=0.01)
    assert (columns.max() - LEFT_PX) / width == pytest.approx(2 / 3, abs=0.01)
    assert (rows.min() - TOP_PX) / height == pytest.approx(1 - 4 / 12, abs=0.01)
    assert (rows.max() - TOP_PX) / height == pytest.approx(1 - 2 / 12, abs=0.01)


@pytest.mark.parametrize("count", [1, 100, 48_000])
def test_any_length_is_drawn_and_silence_stays_dark(count: int) -> None:
    drawn = pixels(spectrogram_png(Sound(np.zeros(count, np.float32), 48_000)))
    assert drawn.shape == (320, 960, 3)
    assert drawn[TOP_PX:-BOTTOM_PX, LEFT_PX:-RIGHT_PX].max() < 60


def test_nothing_cannot_be_drawn() -> None:
    with pytest.raises(Unreadable, match="no samples"):
        spectrogram_png(Sound(np.zeros(0, np.float32), 48_000))


def test_the_clip_that_travels_can_be_drawn(shared_data: Path) -> None:
    (sound,) = read_stretches(shared_data / "samples" / "recordings" / "tawny_owl.flac")
    clip = decode_clip(encode_clip(sound)[0])
    assert clip.duration_s == pytest.approx(sound.duration_s, abs=0.1)
    assert pixels(spectrogram_png(clip, [Span(start_s=3, end_s=6)])).std() > 15
    with pytest.raises(Unreadable, match="expected a JPEG, PNG, MP3"):
        decode_clip(b"oops")
