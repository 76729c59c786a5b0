"""Pictures, sounds, and pictures of sounds; named by their hash, so a browser need never ask twice."""

import gzip
import io
import re
from functools import cache, lru_cache
from importlib.metadata import distribution
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Header, HTTPException, Request, Response
from fastapi.responses import FileResponse

from captures.decoded import Sound, Unreadable
from captures.spectrogram import spectrogram_png
from contract import Span
from ingest.media.port import MediaMissing
from review.page import ReaderDependency

router = APIRouter()
FOR_EVER = {"Cache-Control": "private, max-age=31536000, immutable"}
SHA256 = re.compile(r"[0-9a-f]{64}")


def media_type(data: bytes) -> str | None:
    """Tell what a file is by its first bytes; only what a browser may safely show has a type."""
    if data[:3] == b"\xff\xd8\xff":
        return "image/jpeg"
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        return "image/png"
    if data[:4] == b"RIFF":
        return {b"WEBP": "image/webp", b"WAVE": "audio/wav"}.get(data[8:12])
    if data[:4] == b"OggS":
        return "audio/ogg"
    if data[:4] == b"fLaC":
        return "audio/flac"
    if data[:3] == b"ID3" or (len(data) > 1 and data[0] == 0xFF and data[1] & 0xE0 == 0xE0):
        return "audio/mpeg"
    return None


def part_of(asked: str, size: int) -> tuple[int, int] | None:
    """Read a Range header for one part; None where it asks for what is not there or for several."""
    found = re.fullmatch(r"bytes=(\d*)-(\d*)", asked)
    if found is None or found[0] == "bytes=-":
        return None
    if not found[1]:
        start, end = max(0, size - int(found[2])), size - 1
    else:
        start, end = int(found[1]), min(int(found[2]) if found[2] else size - 1, size - 1)
    return (start, end) if start <= end and start < size else None


def _content(read: ReaderDependency, sha256: str) -> bytes:
    if not SHA256.fullmatch(sha256):
        raise HTTPException(404, "media are named by their sha256")
    try:
        with read.site.media.open(sha256) as file:
            return file.read()
    except MediaMissing as error:
        raise HTTPException(404, str(error)) from error


@router.get("/media/{sha256}")
def media(
    read: ReaderDependency, sha256: str, asked: Annotated[str, Header(alias="range", include_in_schema=False)] = ""
) -> Response:
    """Give a picture or sound, or the part of it that a player asks for."""
    data = _content(read, sha256)
    kind = media_type(data)
    if kind is None:
        raise HTTPException(415, f"{sha256} is no picture or sound that a browser shows")
    headers = {**FOR_EVER, "Accept-Ranges": "bytes", "ETag": f'"{sha256}"'}
    if not asked.startswith("bytes="):
        return Response(data, media_type=kind, headers=headers)
    part = part_of(asked, len(data))
    if part is None:
        return Response(status_code=416, headers={"Content-Range": f"bytes */{len(data)}"})
    start, end = part
    headers["Content-Range"] = f"bytes {start}-{end}/{len(data)}"
    return Response(data[start : end + 1], status_code=206, media_type=kind, headers=headers)


@lru_cache(maxsize=256)
def _drawn(data: bytes, spans: tuple[Span, ...]) -> bytes:
    import soundfile

    try:
        samples, rate_hz = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise HTTPException(415, f"a sound of {len(data)} bytes cannot be drawn: {error}") from error
    return spectrogram_png(Sound(samples.mean(axis=1), rate_hz), spans)


@router.get("/events/{event_id}/spectrogram-{sha256}.png")
def spectrogram(read: ReaderDependency, event_id: str, sha256: str) -> Response:
    """Draw a sound, time to the right and pitch upwards, with what was found in it marked."""
    data, event = _content(read, sha256), read.site.event(event_id)
    if event is None or not (media_type(data) or "").startswith("audio/"):
        raise HTTPException(415, f"{sha256} is no sound of event {event_id}")
    spans = tuple(detection.span for detection in event.detections if detection.span is not None)
    try:
        return Response(_drawn(data, spans), media_type="image/png", headers=FOR_EVER)
    except Unreadable as error:
        raise HTTPException(415, str(error)) from error


@cache
def _plotly() -> tuple[bytes, bytes]:
    script = Path(str(distribution("plotly").locate_file("plotly/package_data/plotly.min.js"))).read_bytes()
    return script, gzip.compress(script, 6, mtime=0)


@router.get("/plotly-{version}.js")
def plotly(request: Request, version: str) -> Response:
    """Give the drawing script that the installed plotly package carries."""
    plain, packed = _plotly()
    headers = {**FOR_EVER, "Vary": "Accept-Encoding"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(packed, media_type="text/javascript", headers={**headers, "Content-Encoding": "gzip"})
    return Response(plain, media_type="text/javascript", headers=headers)


@router.get("/favicon.ico")
def favicon() -> FileResponse:
    """Give the mark of the pages."""
    return FileResponse(Path(__file__).parents[1] / "static" / "mark.svg", media_type="image/svg+xml")
