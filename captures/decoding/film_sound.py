"""Decoding of a film's sound track, by the reader of recordings."""

from collections.abc import Iterator
from pathlib import Path

from captures.decoded import Unreadable
from captures.decoding.messages import SoundStretch, SoundTask
from captures.sound import read_recording

_MOST_SIGNALS = 4  # that fit into one message


def decode_sound(task: SoundTask) -> Iterator[SoundStretch]:
    """Yield the sound of a film in stretches; the memory used does not depend on its length.

    Raises:
        Unreadable: it has no sound track, or it breaks off; the stretches before the break have been yielded.
    """
    path = Path(f"/dev/fd/{task.descriptor}")
    try:
        for stretch in read_recording(path, task.rate_hz, task.stretch_s):
            signals = tuple(one.samples.tobytes() for one in stretch.sound.signals[:_MOST_SIGNALS])
            yield SoundStretch(stretch.sound.rate_hz, signals)
    except Unreadable as error:
        raise Unreadable(str(error).removeprefix(f"{path.name}: ")) from error
