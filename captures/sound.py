"""Decoding of recordings as a stream of stretches, resampling, and MP3 clips for browsers."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from captures.channels import MOST_HEARD, ChannelFault, mix_channels
from captures.decoded import Sound, Unreadable
from captures.recorder_time import audiomoth_time
from captures.recording import Block, Payload, Recording, open_recording
from contract import Location
from contract.bounds import is_representable

_LOUDEST = 8.0  # 18 dB above full scale; louder float samples are damage

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
        duration_s: Duration in seconds: of a WAV, W64, AIFF, AU or CAF file by its real size, of another as its
            header says; None: the header does not say.
        format: Name of the format: WAV, FLAC, MP3, Ogg...
        recorded_at: Start time that the recorder stored (AudioMoth); None: it stored none.
        remarks: What is wrong with the header.
        complete: Whether the file states where its sound ends and the sound ends there.
    """

    rate_hz: int
    channels: int
    duration_s: float | None
    format: str
    recorded_at: datetime | None
    remarks: tuple[str, ...] = ()
    complete: bool = True


@dataclass(frozen=True, slots=True)
class Heard:
    """How much of a recording has been read.

    Attributes:
        frames: Samples per channel, at the recording's own rate.
        payload: Beginning of the sound as it stands in the file, which may reach further.
    """

    frames: int
    payload: Payload


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of a recording.

    Attributes:
        sound: The decoded sound.
        heard: How much of the recording has been read up to the end of this stretch.
        last: Whether it is the last one.
        faults: Faults of single channels in this stretch.
        remarks: What is wrong with the recording; only of the last stretch.
    """

    sound: Sound
    heard: Heard
    last: bool = False
    faults: tuple[ChannelFault, ...] = ()
    remarks: tuple[str, ...] = ()


def sound_info(path: Path) -> SoundInfo:
    """Read the file header of a recording.

    Raises:
        Unreadable: the file is not a recording, or its header has impossible values.
        OSError: the file does not exist or cannot be read.
    """
    with open_recording(path) as recording:
        duration_s = None if recording.frames is None else recording.frames / recording.rate_hz
        return SoundInfo(
            recording.rate_hz,
            recording.channels,
            duration_s,
            recording.form,
            _recorded_at(recording.comment),
            tuple(recording.remarks),
            recording.complete,
        )


def read_recording(
    path: Path,
    rate_hz: int = 48_000,
    stretch_s: float = 60.0,
    taken_at: datetime | None = None,
    location: Location | None = None,
    skip_frames: int = 0,
) -> Iterator[Stretch]:
    """Decode a recording as consecutive stretches; the recording's length does not affect the memory used.

    soxr resamples to ``rate_hz``. The stretches have no gaps and no overlap; only the last one is shorter.

    Args:
        path: A recording of any form that ``open_recording`` reads, or a film with a sound track.
        rate_hz: Sample rate of the result.
        stretch_s: Length of each stretch, in seconds.
        taken_at: Start time of the recording, from which the time of each stretch is computed. None: the time that
            the recorder stored.
        location: Position of the recorder, copied to each stretch.
        skip_frames: Samples per channel to leave out at the beginning, as in ``Heard.frames``.

    Raises:
        Unreadable: the file is not a recording or has no samples; the stretches before the error have been yielded.
        OSError: the file does not exist or cannot be read.
    """
    if stretch_s <= 0 or rate_hz <= 0:
        raise ValueError(f"stretches of {stretch_s} s at {rate_hz} Hz: both must be positive")
    with open_recording(path) as recording:
        start = taken_at or _recorded_at(recording.comment)
        source = _Source(recording, skip_frames, path.name)
        length = max(1, round(stretch_s * rate_hz))
        done = 0
        waiting: Stretch | None = None
        for samples in _cut(_resampled(source, rate_hz), length, source.channels):
            if waiting is not None:
                yield waiting
            offset_s = skip_frames / recording.rate_hz + done / rate_hz
            done += len(samples)
            mix = mix_channels(samples)
            moment = start + timedelta(seconds=offset_s) if start else None
            frames = min(source.read, skip_frames + round(done * recording.rate_hz / rate_hz))
            sound = Sound(mix.signals[0], rate_hz, moment, location, mix.signals[1:])
            waiting = Stretch(sound, Heard(frames, recording.payload), faults=mix.faults)
        if waiting is not None:
            heard = Heard(source.read, recording.payload)
            yield Stretch(waiting.sound, heard, True, waiting.faults, source.remarks())
        elif not source.read:
            raise Unreadable(f"{path.name}: there is no sound in it: expected at least one sample")


def read_stretches(
    path: Path,
    rate_hz: int = 48_000,
    stretch_s: float = 60.0,
    taken_at: datetime | None = None,
    location: Location | None = None,
) -> Iterator[Sound]:
    """Decode a recording as consecutive stretches of sound; arguments and errors as of ``read_recording``."""
    for stretch in read_recording(path, rate_hz, stretch_s, taken_at, location):
        yield stretch.sound


def begins_with(path: Path, payload: Payload) -> bool:
    """Return whether the sound of a recording begins with sound that was read before.

    Raises:
        Unreadable: the file is not a recording.
        OSError: the file does not exist or cannot be read.
    """
    with open_recording(path) as recording:
        return recording.begins_with(payload)


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


def _recorded_at(comment: str) -> datetime | None:
    noted = audiomoth_time(comment)
    return noted.at(UTC).astimezone(UTC) if noted is not None and is_representable(noted.local) else None


class _Source:
    """Blocks of a recording with the channels that are heard, from a position on, with samples that are numbers."""

    def __init__(self, recording: Recording, skip_frames: int, name: str) -> None:
        self._recording = recording
        self._skip = skip_frames
        self._name = name
        self._damaged = 0
        self.rate_hz = recording.rate_hz
        self.channels = min(recording.channels, MOST_HEARD)
        self.read = 0  # samples per channel, with those that were skipped

    def blocks(self) -> Iterator[Block]:
        self.read = self._skip
        for block in self._recording.blocks(self._skip):
            self.read += len(block)
            heard = block[:, : self.channels]
            finite = np.isfinite(heard)
            if not finite.all():
                self._damaged += int(finite.size - np.count_nonzero(finite))
                heard = np.where(finite, heard, np.float32(0))
            yield np.clip(heard, -_LOUDEST, _LOUDEST)

    def remarks(self) -> tuple[str, ...]:
        """Return what is wrong with the recording, in sentences that begin with its name."""
        found = list(self._recording.remarks)
        if self._damaged:
            found.append(f"{self._damaged} samples that are no numbers")
        if self._recording.channels > self.channels:
            found.append(f"{self._recording.channels} channels, of which the first {self.channels} are heard")
        heard = f"all {self.read / self.rate_hz:.1f} s of sound that are there were analysed"
        return tuple(f"{self._name}: {remark}; {heard}" for remark in found)


def _resampled(source: _Source, rate_hz: int) -> Iterator[Block]:
    """Yield the blocks of a recording, resampled as one continuous stream."""
    import soxr

    if source.rate_hz == rate_hz:
        yield from source.blocks()
        return
    stream = soxr.ResampleStream(source.rate_hz, rate_hz, source.channels, dtype="float32")
    for block in source.blocks():
        yield _shaped(stream.resample_chunk(_flat(block)), source.channels)
    yield _shaped(stream.resample_chunk(_flat(np.empty((0, source.channels), np.float32)), last=True), source.channels)


def _flat(block: Block) -> Block:
    """Return a block as soxr takes it: one channel as a vector."""
    return np.ascontiguousarray(block[:, 0] if block.shape[1] == 1 else block)


def _shaped(samples: NDArray[np.float32], channels: int) -> Block:
    return np.asarray(samples, np.float32).reshape(-1, channels)


def _cut(blocks: Iterator[Block], length: int, channels: int) -> Iterator[Block]:
    """Regroup sample blocks of any size into arrays of ``length`` samples; the last array may be shorter."""
    buffer = np.empty((length, channels), np.float32)
    filled = 0
    for block in blocks:
        at = 0
        while at < len(block):
            taken = min(length - filled, len(block) - at)
            buffer[filled : filled + taken] = block[at : at + taken]
            filled += taken
            at += taken
            if filled == length:
                yield buffer
                buffer, filled = np.empty((length, channels), np.float32), 0
    if filled:
        yield buffer[:filled].copy()
