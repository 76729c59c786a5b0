"""Films: the frames that detectors look at, the clip for browsers, and the sound track, from a decoding process."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from captures.decoded import Unreadable
from captures.decoding.messages import ClipTask, Content, FilmFrame, FilmHead, FilmTask, SoundBlock, SoundTask
from captures.decoding.process import DecoderLimits, decode_apart
from captures.file_kind import AVI, M4A, MATROSKA, MOV, MP4, MPEG_TS, FileKind, kind_of_open_file

CLIP_LENGTH_S = 8.0
_CLIP_LEAD_S = 3.0  # of the clip before the chosen frame
_DEMUXERS = {AVI: "avi", MP4: "mov", MOV: "mov", M4A: "mov", MATROSKA: "matroska", MPEG_TS: "mpegts"}


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


def read_sound_track(path: Path, limits: DecoderLimits | None = None) -> Iterator[tuple[NDArray[np.float32], int]]:
    """Decode the sound track of a film, or an M4A recording, block by block.

    Yields:
        Samples of shape (n, channels), and their rate in Hz, which is the same for all blocks.

    Raises:
        Unreadable: there is no sound, or it breaks off; the blocks before the break have been yielded.
        OSError: the file cannot be read, or no process can be started.
    """
    with _opened(path) as (file, demuxer):
        for answer in decode_apart(SoundTask(file.fileno(), demuxer), path.name, limits=limits):
            if isinstance(answer, SoundBlock):
                samples = np.frombuffer(answer.samples, np.float32).reshape(-1, answer.channels)
                yield samples, answer.rate_hz


@contextmanager
def _opened(path: Path) -> Iterator[tuple[BinaryIO, str]]:
    """Open a film, and yield it with the name of the demuxer that its signature asks for."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size == 0:
            raise Unreadable(f"{path.name}: 0 bytes: expected a film")
        kind: FileKind | None = kind_of_open_file(file)
        demuxer = _DEMUXERS.get(kind) if kind else None
        if demuxer is None:
            found = kind.form if kind else "no known form"
            raise Unreadable(f"{path.name}: {found} ({size} bytes): expected AVI, MP4, MOV, Matroska or MPEG-TS")
        yield file, demuxer
