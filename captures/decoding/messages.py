"""Tasks for a decoding process, and the messages with which it answers."""

import msgspec


class FilmTask(msgspec.Struct, frozen=True, tag=True):
    """Sample the frames of a film: a ``FilmHead``, then ``FilmFrame`` messages.

    Attributes:
        descriptor: Number of the open file.
        format: FFmpeg's name of the container's demuxer.
    """

    descriptor: int
    format: str


class ClipTask(msgspec.Struct, frozen=True, tag=True):
    """Encode a stretch of a film for browsers: one ``Content`` with an MP4 file; the fields are those of ``FilmTask``.

    Attributes:
        start_s: Start of the stretch, in seconds from the film's first frame.
        length_s: Length of the stretch, in seconds.
    """

    descriptor: int
    format: str
    start_s: float
    length_s: float


class SoundTask(msgspec.Struct, frozen=True, tag=True):
    """Decode the sound track of a film: ``SoundStretch`` messages.

    Attributes:
        descriptor: Number of the open file.
        rate_hz: Samples per second of the result.
        stretch_s: Length of each stretch, in seconds.
    """

    descriptor: int
    rate_hz: int
    stretch_s: float


class PictureTask(msgspec.Struct, frozen=True, tag=True):
    """Convert a picture, whose content follows as the next message, to JPEG: one ``Content``.

    Attributes:
        form: HEIC, AVIF, WebP, GIF or BMP, as ``FileKind.form``.
        limit_pixels: Larger pictures are refused before they are decoded.
    """

    form: str
    limit_pixels: int


Task = FilmTask | ClipTask | SoundTask | PictureTask


class Ready(msgspec.Struct, frozen=True, tag=True):
    """The process has loaded its libraries."""


class FilmHead(msgspec.Struct, frozen=True, tag=True):
    """What a film is.

    Attributes:
        codec: FFmpeg's name of the video codec; "": the film has no pictures.
        width: Width of its frames in pixels, turned as the film says.
        height: Height of its frames in pixels, turned as the film says.
        duration_s: Duration of the pictures that were read, in seconds.
        has_sound: Whether it has a sound track.
        tags: Tags of the container and of its tracks, such as creation_time.
        problem: Why the film was not read to its end; "": it was.
    """

    codec: str
    width: int
    height: int
    duration_s: float
    has_sound: bool
    tags: dict[str, str]
    problem: str = ""


class FilmFrame(msgspec.Struct, frozen=True, tag=True):
    """One chosen frame of a film.

    Attributes:
        at_s: Time in seconds from the film's first frame.
        moved: Fraction of the picture that differs from the film's background.
        jpeg: The frame, at most 1,920 pixels long, turned as the film says.
    """

    at_s: float
    moved: float
    jpeg: bytes


class SoundStretch(msgspec.Struct, frozen=True, tag=True):
    """A stretch of sound: float32 samples of each signal, as in ``captures.decoded.Sound.signals``."""

    rate_hz: int
    signals: tuple[bytes, ...]


class Content(msgspec.Struct, frozen=True, tag=True):
    """A finished file: an MP4 clip or a JPEG picture."""

    data: bytes


class Finished(msgspec.Struct, frozen=True, tag=True):
    """The task is finished, or failed for the reason ``problem``."""

    problem: str = ""


Message = Ready | FilmHead | FilmFrame | SoundStretch | Content | Finished
