"""Decoding of the sound clips that stations send, within limits."""

from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from captures.decoded import Sound, Unreadable
from captures.sent_media import MAX_SOUND_FRAMES, check_sent, check_sound

if TYPE_CHECKING:
    import soundfile

_FORMATS = ("MP3", "MPEG", "FLAC", "WAV", "WAVEX")
_BLOCK = 262_144  # frames of one read
_LOUDEST = 8.0  # 18 dB above full scale


def decode_clip(data: bytes) -> Sound:
    """Decode the bytes of a sound clip to mono, for the clip's spectrogram; a long clip is refused while it is read.

    Raises:
        Unreadable: the data is not a clip of a form that stations send, has no samples or too many.
    """
    import soundfile

    check_sent(data)
    try:
        with soundfile.SoundFile(BytesIO(data)) as file:
            if file.format not in _FORMATS:  # libsndfile reads more formats, also after a tag of MP3
                raise Unreadable(f"a clip of {len(data)} bytes in {file.format}: expected MP3, FLAC or WAV")
            check_sound(file.format, file.samplerate, file.channels, 0)
            samples, rate_hz = _mono(file), file.samplerate
    except soundfile.LibsndfileError as error:
        raise Unreadable(f"a clip of {len(data)} bytes: {error.error_string.rstrip('.')}") from error
    if not samples.size:
        raise Unreadable(f"a clip of {len(data)} bytes without sound: expected at least one sample")
    return Sound(samples, int(rate_hz))


def _mono(file: "soundfile.SoundFile") -> NDArray[np.float32]:
    """Read a file whose header has been checked, and which may hold more or less than its header says."""
    samples = np.empty(min(file.frames, MAX_SOUND_FRAMES), np.float32)  # memory is taken when it is filled
    filled = 0
    while len(block := file.read(_BLOCK, dtype="float32", always_2d=True)):
        check_sound(file.format, file.samplerate, file.channels, filled + len(block))
        kept = block[: samples.size - filled].mean(axis=1, dtype=np.float32)
        samples[filled : filled + kept.size] = kept
        filled += kept.size
        if kept.size < len(block):
            break
    # Samples as floats may be no numbers, or so loud that their power is none.
    found = np.nan_to_num(samples[:filled], copy=False, posinf=0, neginf=0)
    return np.clip(found, -_LOUDEST, _LOUDEST, out=found)
