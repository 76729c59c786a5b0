"""Decoding of recordings as a stream of mono stretches, resampling, and MP3 clips for browsers."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from captures.decoded import Sound, Unreadable
from captures.mp3_tags import bytes_after_tags, is_mp3_frame
from captures.recorder_time import audiomoth_time
from contract import Location
from contract.bounds import is_representable

if TYPE_CHECKING:
    import soundfile

# From below any recorder in use to above the fastest bat detector; a rate outside means a wrong header.
_RATES_HZ = (1_000, 1_000_000)
_MOST_CHANNELS = 64
_BLOCK_S = 5.0  # length of one read: long enough for speed, short enough for a small machine's memory

_FORMATS = ("WAV", "WAVEX", "RF64", "FLAC", "MP3", "MPEG", "OGG", "AIFF", "W64")
_WAVE64 = b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb"  # the start of its first GUID
_CLIP_RATES_HZ = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)  # the sample rates of MP3
_CLIP_LOUDNESS_DB = -23.0  # root mean square; the programme loudness of EBU R 128, here without its weighting
_CLIP_GAIN_DB = 40.0  # more gain would only amplify the microphone's noise
_CLIP_PEAK = 0.89  # -1 dBFS: MP3 overshoots


@dataclass(frozen=True, slots=True)
class SoundInfo:
    """Sample rate, channels, duration, format and start time of a recording, from its file header.

    Attributes:
        rate_hz: Samples per second and channel.
        channels: Number of channels.
        duration_s: Duration in seconds by the header; a truncated file holds less.
        format: libsndfile's name of the format: WAV, FLAC, MP3, OGG...
        recorded_at: Start time that the recorder stored (AudioMoth); None: it stored none.
    """

    rate_hz: int
    channels: int
    duration_s: float
    format: str
    recorded_at: datetime | None


def sound_info(path: Path) -> SoundInfo:
    """Read the file header of a recording.

    Raises:
        Unreadable: the file is not a recording, or its header has impossible values.
        OSError: the file does not exist or cannot be read.
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
    """Decode a recording as consecutive stretches; the recording's length does not affect the memory used.

    Channels are mixed to mono, and soxr resamples to ``rate_hz``. The stretches have no gaps and no overlap; only the
    last one is shorter.

    Args:
        path: A WAV, FLAC, MP3 or OGG file, or another format that libsndfile reads.
        rate_hz: Sample rate of the result.
        stretch_s: Length of each stretch, in seconds.
        taken_at: Start time of the recording, from which the time of each stretch is computed. None: the time that
            the recorder stored.
        location: Position of the recorder, copied to each stretch.

    Raises:
        Unreadable: the file is not a recording, has no samples or is truncated; the stretches before the break have
            been yielded.
        OSError: the file does not exist or cannot be read.
    """
    if stretch_s <= 0 or rate_hz <= 0:
        raise ValueError(f"stretches of {stretch_s} s at {rate_hz} Hz: both must be positive")
    with _open(path) as file:
        start = taken_at or _info(file).recorded_at
        length = max(1, round(stretch_s * rate_hz))
        done = 0
        for samples in _cut(_resampled(file, rate_hz, path), length):
            moment = start + timedelta(seconds=done / rate_hz) if start else None
            done += samples.size
            yield Sound(samples, rate_hz, moment, location)
        if not done:
            raise Unreadable(f"{path.name}: there is no sound in it: expected at least one sample")


def resample(sound: Sound, rate_hz: int) -> Sound:
    """Return a sound, resampled to another sample rate with soxr."""
    import soxr

    if sound.rate_hz == rate_hz:
        return sound
    samples = np.asarray(soxr.resample(sound.samples, sound.rate_hz, rate_hz), np.float32)
    return Sound(samples, rate_hz, sound.taken_at, sound.location)


def normalise(sound: Sound) -> Sound:
    """Return a sound, amplified or attenuated to a common loudness without clipping.

    The gain is limited by the peak, which matters for a gunshot: its peak is far above its mean.
    """
    peak = float(np.max(np.abs(sound.samples), initial=0.0))
    if peak == 0:
        return sound
    mean_square = float(np.mean(np.square(sound.samples, dtype=np.float64)))
    gain = 10 ** (_CLIP_LOUDNESS_DB / 20) / max(np.sqrt(mean_square), 1e-9)
    gain = min(gain, 10 ** (_CLIP_GAIN_DB / 20), _CLIP_PEAK / peak)
    return Sound((sound.samples * np.float32(gain)).astype(np.float32), sound.rate_hz, sound.taken_at, sound.location)


def encode_clip(sound: Sound, louder: bool = True) -> tuple[bytes, str]:
    """Encode a sound as an MP3 clip, which every browser plays.

    Args:
        sound: The sound to encode.
        louder: Whether to normalise its loudness first; the original file is not changed.

    Returns:
        The MP3 file and its media type.

    Raises:
        Unreadable: the sound is empty.
    """
    import soundfile

    if not sound.samples.size:
        raise Unreadable("a clip of no samples: expected at least one")
    # MP3 has nine sample rates: the next higher one keeps all frequencies, up to the limit of human hearing.
    rate_hz = next((rate for rate in _CLIP_RATES_HZ if rate >= sound.rate_hz), _CLIP_RATES_HZ[-1])
    clip = resample(normalise(sound) if louder else sound, rate_hz)
    file = BytesIO()
    soundfile.write(file, np.clip(clip.samples, -1, 1), rate_hz, format="MP3", subtype="MPEG_LAYER_III")
    return file.getvalue(), "audio/mpeg"


@contextmanager
def _open(path: Path) -> Iterator["soundfile.SoundFile"]:
    """Open a recording for reading; convert errors of libsndfile to ``Unreadable``."""
    import soundfile

    # By descriptor, not by name: soundfile treats a name that ends in .raw as a format without header.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    try:
        size = os.fstat(descriptor).st_size
        if size == 0:
            raise Unreadable(f"{path.name}: 0 bytes: expected a recording")
        _check_signature(descriptor, path.name, size)
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


def _check_signature(descriptor: int, name: str, size: int) -> None:
    """Check that a file starts like a recording of a known form: libsndfile's readers of rare formats stay unused."""

    def read_at(position: int) -> bytes:
        os.lseek(descriptor, position, os.SEEK_SET)
        return os.read(descriptor, 12)

    head = bytes_after_tags(read_at)
    os.lseek(descriptor, 0, os.SEEK_SET)
    known = head[:4] in (b"fLaC", b"OggS") or is_mp3_frame(head) or head == _WAVE64
    riff = head[:4] in (b"RIFF", b"RIFX", b"RF64", b"FORM") and head[8:12] in (b"WAVE", b"AIFF", b"AIFC")
    if not known and not riff:
        raise Unreadable(f"{name}: starts with {head[:8]!r} ({size} bytes): expected WAV, FLAC, MP3 or OGG")


def _check(file: Any, name: str) -> None:
    if file.format not in _FORMATS:  # behind a tag of MP3, libsndfile looks for every format that it knows
        raise Unreadable(f"{name}: {file.format} behind its first bytes: expected WAV, FLAC, MP3 or OGG")
    low, high = _RATES_HZ
    if not low <= file.samplerate <= high:
        raise Unreadable(f"{name}: the header says {file.samplerate} Hz: expected {low} to {high}")
    if file.channels > _MOST_CHANNELS:
        raise Unreadable(f"{name}: the header says {file.channels} channels: expected at most {_MOST_CHANNELS}")


def _info(file: Any) -> SoundInfo:
    noted = audiomoth_time(file.copy_metadata().get("comment", ""))
    recorded_at = noted.at(UTC).astimezone(UTC) if noted is not None and is_representable(noted.local) else None
    return SoundInfo(file.samplerate, file.channels, file.frames / file.samplerate, file.format, recorded_at)


def _resampled(file: Any, rate_hz: int, path: Path) -> Iterator[NDArray[np.float32]]:
    """Yield the blocks of a recording, mixed to mono and resampled as one continuous stream."""
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
    """Regroup sample blocks of any size into arrays of ``length`` samples; the last array may be shorter."""
    buffer = np.empty(length, np.float32)
    filled = 0
    for block in blocks:
        at = 0
        while at < block.size:
            taken = min(length - filled, block.size - at)
            buffer[filled : filled + taken] = block[at : at + taken]
            filled += taken
            at += taken
            if filled == length:
                yield buffer
                buffer, filled = np.empty(length, np.float32), 0
    if filled:
        yield buffer[:filled].copy()
