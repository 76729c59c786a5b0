"""Reads any recording, however long, as stretches of plain sound, and makes clips that every browser plays."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from captures.decoded import Sound, Unreadable
from contract import Location

if TYPE_CHECKING:
    import soundfile

# Below any recorder in use, and above the fastest bat detector: outside, the header is wrong, not the microphone rare.
_RATES_HZ = (1_000, 1_000_000)
_MOST_CHANNELS = 64
_BLOCK_S = 5.0  # read at once: enough to be quick, little enough for a small machine

# As AudioMoth's firmware writes it into the WAV's comment, with a zone such as (UTC), (UTC+8) or (UTC-3:30).
_AUDIOMOTH = re.compile(
    r"Recorded at (?P<time>\d\d:\d\d:\d\d) (?P<date>\d\d/\d\d/\d{4}) "
    r"\(UTC(?:(?P<sign>[+-])(?P<hours>\d{1,2})(?::(?P<minutes>\d\d))?)?\)"
)
_CLIP_RATES_HZ = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)  # what MP3 knows
_CLIP_LOUDNESS_DB = -23.0  # root mean square; EBU R 128's figure for programmes, here without its weighting
_CLIP_GAIN_DB = 40.0  # more would only show the microphone's own noise
_CLIP_PEAK = 0.89  # -1 dBFS: MP3 overshoots


@dataclass(frozen=True, slots=True)
class SoundInfo:
    """What a recording's header says.

    Attributes:
        rate_hz: Samples per second, of each channel.
        channels: How many.
        duration_s: How long it lasts, by the header; a file cut off may hold less.
        format: As libsndfile calls it: WAV, FLAC, MP3, OGG...
        recorded_at: When it began, where the recorder wrote it down (AudioMoth); None where not.
    """

    rate_hz: int
    channels: int
    duration_s: float
    format: str
    recorded_at: datetime | None


def sound_info(path: Path) -> SoundInfo:
    """Read a recording's header.

    Raises:
        Unreadable: it is no recording, or its header cannot be true.
        OSError: the file is not there.
    """
    with _open(path) as file:
        return _info(file)


def read_stretches(
    path: Path,
    rate_hz: int = 48_000,
    stretch_s: float = 60.0,
    taken_at: datetime | None = None,
    location: Location | None = None,
) -> Iterator[Sound]:
    """Read a recording from beginning to end, in memory that does not grow with its length.

    Channels are mixed into one, and any rate is resampled by soxr. The stretches follow each other without gap or
    overlap; only the last is shorter.

    Args:
        path: WAV, FLAC, MP3, OGG or whatever else libsndfile knows.
        rate_hz: Of what comes out.
        stretch_s: How long each stretch is, in seconds.
        taken_at: When the recording began; each stretch is given its own time. None: as the recorder wrote it down.
        location: Where it was recorded; handed on with each stretch.

    Raises:
        Unreadable: it is no recording, holds no sound, or breaks off; then what came before the break has been yielded.
        OSError: the file is not there.
    """
    if stretch_s <= 0 or rate_hz <= 0:
        raise ValueError(f"stretches of {stretch_s} s at {rate_hz} Hz: expected more than zero of both")
    with _open(path) as file:
        began = taken_at or _info(file).recorded_at
        length = max(1, round(stretch_s * rate_hz))
        done = 0
        for samples in _cut(_resampled(file, rate_hz, path), length):
            moment = began + timedelta(seconds=done / rate_hz) if began else None
            done += samples.size
            yield Sound(samples, rate_hz, moment, location)
        if not done:
            raise Unreadable(f"{path.name}: there is no sound in it: expected at least one sample")


def resample(sound: Sound, rate_hz: int) -> Sound:
    """Bring a sound to another rate."""
    import soxr

    if sound.rate_hz == rate_hz:
        return sound
    samples = np.asarray(soxr.resample(sound.samples, sound.rate_hz, rate_hz), np.float32)
    return Sound(samples, rate_hz, sound.taken_at, sound.location)


def normalise(sound: Sound) -> Sound:
    """Make a quiet sound as loud as others, so that a ranger need not reach for the volume; never clipped.

    A gunshot's peak stands far above its mean, so the peak decides there, and the mean elsewhere.
    """
    peak = float(np.max(np.abs(sound.samples), initial=0.0))
    if peak == 0:
        return sound
    mean_square = float(np.mean(np.square(sound.samples, dtype=np.float64)))
    gain = 10 ** (_CLIP_LOUDNESS_DB / 20) / max(np.sqrt(mean_square), 1e-9)
    gain = min(gain, 10 ** (_CLIP_GAIN_DB / 20), _CLIP_PEAK / peak)
    return Sound((sound.samples * np.float32(gain)).astype(np.float32), sound.rate_hz, sound.taken_at, sound.location)


def encode_clip(sound: Sound, louder: bool = True) -> tuple[bytes, str]:
    """Make a clip that every browser plays.

    Args:
        sound: What to encode.
        louder: Bring it to a common loudness first; the original is a file of its own and stays as it is.

    Returns:
        An MP3 file and its media type.

    Raises:
        Unreadable: the sound is empty.
    """
    import soundfile

    if not sound.samples.size:
        raise Unreadable("a clip of no samples: expected at least one")
    # MP3 knows nine rates: the next higher one keeps all that was heard, up to what people can hear.
    rate_hz = next((rate for rate in _CLIP_RATES_HZ if rate >= sound.rate_hz), _CLIP_RATES_HZ[-1])
    clip = resample(normalise(sound) if louder else sound, rate_hz)
    file = BytesIO()
    soundfile.write(file, np.clip(clip.samples, -1, 1), rate_hz, format="MP3", subtype="MPEG_LAYER_III")
    return file.getvalue(), "audio/mpeg"


def decode_clip(data: bytes) -> Sound:
    """Read a clip back, for drawing it.

    Raises:
        Unreadable: it is no clip.
    """
    import soundfile

    try:
        samples, rate_hz = soundfile.read(BytesIO(data), dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise Unreadable(f"a clip of {len(data)} bytes: {error.error_string.rstrip('.')}") from error
    if not len(samples):
        raise Unreadable(f"a clip of {len(data)} bytes without sound: expected at least one sample")
    return Sound(np.ascontiguousarray(samples.mean(axis=1), np.float32), int(rate_hz))


@contextmanager
def _open(path: Path) -> Iterator["soundfile.SoundFile"]:
    """Open a recording for reading; what libsndfile refuses is Unreadable."""
    import soundfile

    # By descriptor and not by name: soundfile would take a name that ends in .raw for a format without header.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    try:
        size = os.fstat(descriptor).st_size
        if size == 0:
            raise Unreadable(f"{path.name}: 0 bytes: expected a recording")
        try:
            file = soundfile.SoundFile(descriptor, closefd=False)
        except soundfile.LibsndfileError as error:
            reason = error.error_string.rstrip(".")
            raise Unreadable(f"{path.name}: {reason} ({size} bytes): expected WAV, FLAC, MP3 or OGG") from error
        with file:
            _check(file, path.name)
            yield file
    finally:
        os.close(descriptor)


def _check(file: Any, name: str) -> None:
    low, high = _RATES_HZ
    if not low <= file.samplerate <= high:
        raise Unreadable(f"{name}: the header says {file.samplerate} Hz: expected {low} to {high}")
    if file.channels > _MOST_CHANNELS:
        raise Unreadable(f"{name}: the header says {file.channels} channels: expected at most {_MOST_CHANNELS}")


def _info(file: Any) -> SoundInfo:
    comment = file.copy_metadata().get("comment", "")
    return SoundInfo(file.samplerate, file.channels, file.frames / file.samplerate, file.format, _recorded_at(comment))


def _recorded_at(comment: str) -> datetime | None:
    found = _AUDIOMOTH.search(comment)
    if found is None:
        return None
    offset = timedelta(hours=int(found["hours"] or 0), minutes=int(found["minutes"] or 0))
    try:
        zone = timezone(-offset if found["sign"] == "-" else offset)
        local = datetime.strptime(f"{found['date']} {found['time']}", "%d/%m/%Y %H:%M:%S").replace(tzinfo=zone)
        return local.astimezone(UTC)
    except (ValueError, OverflowError):
        return None  # a clock that never was set can write any digits; then the time is not known


def _resampled(file: Any, rate_hz: int, path: Path) -> Iterator[NDArray[np.float32]]:
    """Read blocks, mix them to one channel and resample them as one stream, without seams."""
    import soundfile
    import soxr

    stream = None if file.samplerate == rate_hz else soxr.ResampleStream(file.samplerate, rate_hz, 1, dtype="float32")
    frames = max(1, round(_BLOCK_S * file.samplerate))
    read = 0
    while True:
        try:
            block = file.read(frames, dtype="float32", always_2d=True)
        except soundfile.LibsndfileError as error:
            at_s = read / file.samplerate
            raise Unreadable(f"{path.name}: breaks off after {at_s:.0f} s: {error.error_string.rstrip('.')}") from error
        read += len(block)
        mono = block[:, 0] if block.shape[1] == 1 else block.mean(axis=1)
        if not np.isfinite(mono).all():
            raise Unreadable(f"{path.name}: samples that are no numbers before {read / file.samplerate:.0f} s")
        last = len(block) == 0
        if stream is not None:
            mono = stream.resample_chunk(np.ascontiguousarray(mono), last=last)
        if mono.size:
            yield np.asarray(mono, np.float32)
        if last:
            return


def _cut(blocks: Iterator[NDArray[np.float32]], length: int) -> Iterator[NDArray[np.float32]]:
    """Gather blocks of any size into arrays of one length; the last may be shorter."""
    waiting = np.empty(length, np.float32)
    filled = 0
    for block in blocks:
        at = 0
        while at < block.size:
            taken = min(length - filled, block.size - at)
            waiting[filled : filled + taken] = block[at : at + taken]
            filled += taken
            at += taken
            if filled == length:
                yield waiting
                waiting, filled = np.empty(length, np.float32), 0
    if filled:
        yield waiting[:filled].copy()
