"""What can be drawn from a thumbnail or clip; a drawing is identified by the content's hash and one of these tasks."""

import hashlib

import msgspec

from captures.blurring import blurred_jpeg
from captures.clip import decode_clip
from captures.spectrogram import spectrogram_png
from contract import Box, Span

_STYLE = b"1"  # change it when drawings look different, so that stored ones are drawn anew


class Spectrogram(msgspec.Struct, frozen=True, tag=True):
    """Spectrogram of a clip as a PNG, with a frame around each span."""

    spans: tuple[Span, ...]


class BlurredPicture(msgspec.Struct, frozen=True, tag=True):
    """A thumbnail as a JPEG in which people are blurred; a person without a box blurs the whole picture."""

    people: tuple[Box | None, ...]


Task = Spectrogram | BlurredPicture


class Request(msgspec.Struct, frozen=True):
    """A request to a drawing process: the task, and the content of the thumbnail or clip."""

    task: Task
    data: bytes


class Answer(msgspec.Struct, frozen=True):
    """The answer of a drawing process: the drawing, or the reason why there is none."""

    drawing: bytes = b""
    problem: str = ""


def draw(request: Request) -> bytes:
    """Draw what is requested, in this process.

    Raises:
        Unreadable: the content cannot be decoded.
    """
    if isinstance(request.task, Spectrogram):
        return spectrogram_png(decode_clip(request.data), request.task.spans)
    return blurred_jpeg(request.data, request.task.people)


def name_of(task: Task, sha256: str) -> str:
    """Return the name of a drawing, which depends on all that the drawing depends on."""
    digest = hashlib.sha256(_STYLE + msgspec.msgpack.encode(task)).hexdigest()
    return f"{sha256}-{digest[:32]}"
