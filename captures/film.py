"""Films: frames for the detectors, a clip for browsers, and the sound track, decoded in a separate process."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO

import numpy as np

from captures.decoded import Sound, Unreadable
from captures.decoding.messages import ClipTask, Content, FilmFrame, FilmHead, FilmTask, SoundStretch, SoundTask
from captures.decoding.process import DecoderLimits, decode_apart
from captures.file_kind import kind_of_open_file
from captures.packets import DEMUXERS
from contract import Location

CLIP_LENGTH_S = 8.0
_CLIP_LEAD_S = 3.0  # of the clip before the chosen frame


@dataclass(frozen=True, slots=True)
class Film:
    """A film that has been looked through.

    Attributes:
        path: Its file.
        head: Size, duration, tags and tracks; ``head.problem`` says why it was not read to its end.
        frames: The chosen frames in the order of time, at most eight; none if it has only sound.
    """

    path: Path
    head: FilmHead
    frames: tuple[FilmFrame, ...]


def read_film(path: Path, limits: DecoderLimits | None = None) -> Film:
    """Look through a film in a process of limited memory and time, and choose the frames for the detectors.

    Raises:
        Unreadable: it is no film, has neither frames nor sound, or its decoder failed.
        OSError: the file cannot be read, or no process can be started.
    """
    with _opened(path) as (file, demuxer):
        answers = list(decode_apart(FilmTask(file.fileno(), demuxer), path.name, limits=limits))
    head = next((one for one in answers if isinstance(one, FilmHead)), None)
    if head is None:
        raise Unreadable(f"{path.name}: the decoding process gave no answer")
    return Film(path, head, tuple(one for one in answers if isinstance(one, FilmFrame)))


def film_clip(film: Film, at_s: float, limits: DecoderLimits | None = None) -> bytes:
    """Return a clip of a film around a time: H.264 in MP4 of at most 640 pixels, 8 seconds and 1 MB, without sound.

    Raises:
        Unreadable: the stretch cannot be decoded.
        OSError: the file cannot be read, or no process can be started.
    """
    start_s = max(0.0, min(at_s - _CLIP_LEAD_S, film.head.duration_s - CLIP_LENGTH_S))
    with _opened(film.path) as (file, demuxer):
        task = ClipTask(file.fileno(), demuxer, start_s, CLIP_LENGTH_S)
        for answer in decode_apart(task, film.path.name, limits=limits):
            if isinstance(answer, Content):
                return answer.data
    raise Unreadable(f"{film.path.name}: the decoding process gave no answer")


def read_film_sound(
    film: Film,
    taken_at: datetime,
    location: Location | None = None,
    rate_hz: int = 48_000,
    stretch_s: float = 60.0,
    limits: DecoderLimits | None = None,
) -> Iterator[Sound]:
    """Decode the sound track of a film as consecutive stretches without gaps; only the last one is shorter.

    Args:
        film: The film.
        taken_at: Time of its beginning.
        location: Position of the station, copied to each stretch.
        rate_hz: Sample rate of the result.
        stretch_s: Length of each stretch, in seconds.
        limits: Limits of the process.

    Raises:
        Unreadable: there is no sound, or it breaks off; the stretches before the break have been yielded.
        OSError: the file cannot be read, or no process can be started.
    """
    with _opened(film.path) as (file, _):
        done_s = 0.0
        for answer in decode_apart(SoundTask(file.fileno(), rate_hz, stretch_s), film.path.name, limits=limits):
            if isinstance(answer, SoundStretch) and answer.signals:
                first, *more = (np.frombuffer(signal, np.float32) for signal in answer.signals)
                sound = Sound(first, answer.rate_hz, taken_at + timedelta(seconds=done_s), location, tuple(more))
                done_s += sound.duration_s
                yield sound


@contextmanager
def _opened(path: Path) -> Iterator[tuple[BinaryIO, str]]:
    """Open a film, and yield it with the name of the demuxer for its signature."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size == 0:
            raise Unreadable(f"{path.name}: 0 bytes: expected a film")
        kind = kind_of_open_file(file)
        if kind is None or kind.family != "film":
            found = kind.form if kind else "no known form"
            raise Unreadable(f"{path.name}: {found} ({size} bytes): expected AVI, MP4, MOV, Matroska or MPEG-TS")
        yield file, DEMUXERS[kind.form]
