"""Endpoints for pictures, sounds and spectrograms.

URLs contain the hash of the content, so browsers can cache them forever.
"""

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
from review.page import ContextDependency

router = APIRouter()
CACHE_FOREVER = {"Cache-Control": "private, max-age=31536000, immutable"}
SHA256 = re.compile(r"[0-9a-f]{64}")


def media_type(data: bytes) -> str | None:
    """Detect the media type of a file from its first bytes; return None for types that a browser should not show."""
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


def parse_range(header: str, size: int) -> tuple[int, int] | None:
    """Parse a Range header into the first and last byte; return None if it is out of range or has several ranges."""
    found = re.fullmatch(r"bytes=(\d*)-(\d*)", header)
    if found is None or found[0] == "bytes=-":
        return None
    if not found[1]:
        start, end = max(0, size - int(found[2])), size - 1
    else:
        start, end = int(found[1]), min(int(found[2]) if found[2] else size - 1, size - 1)
    return (start, end) if start <= end and start < size else None


def _content(context: ContextDependency, sha256: str) -> bytes:
    if not SHA256.fullmatch(sha256):
        raise HTTPException(404, "expected a sha256 as the name of a media file")
    try:
        with context.site.media.open(sha256) as file:
            return file.read()
    except MediaMissing as error:
        raise HTTPException(404, str(error)) from error


@router.get("/media/{sha256}")
def media(
    context: ContextDependency,
    sha256: str,
    range_header: Annotated[str, Header(alias="range", include_in_schema=False)] = "",
) -> Response:
    """Return a picture or sound; if the client requests a byte range, return only that range."""
    data = _content(context, sha256)
    kind = media_type(data)
    if kind is None:
        raise HTTPException(415, f"{sha256} is not a picture or sound that a browser can show")
    headers = {**CACHE_FOREVER, "Accept-Ranges": "bytes", "ETag": f'"{sha256}"'}
    if not range_header.startswith("bytes="):
        return Response(data, media_type=kind, headers=headers)
    byte_range = parse_range(range_header, len(data))
    if byte_range is None:
        return Response(status_code=416, headers={"Content-Range": f"bytes */{len(data)}"})
    start, end = byte_range
    headers["Content-Range"] = f"bytes {start}-{end}/{len(data)}"
    return Response(data[start : end + 1], status_code=206, media_type=kind, headers=headers)


@lru_cache(maxsize=256)
def _draw_spectrogram(data: bytes, spans: tuple[Span, ...]) -> bytes:
    import soundfile

    try:
        samples, rate_hz = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise HTTPException(415, f"a sound of {len(data)} bytes cannot be read: {error}") from error
    return spectrogram_png(Sound(samples.mean(axis=1), rate_hz), spans)


@router.get("/events/{event_id}/spectrogram-{sha256}.png")
def spectrogram(context: ContextDependency, event_id: str, sha256: str) -> Response:
    """Return the spectrogram of a sound (x: time, y: frequency) with its detections marked."""
    data, event = _content(context, sha256), context.site.event(event_id)
    if event is None or not (media_type(data) or "").startswith("audio/"):
        raise HTTPException(415, f"{sha256} is not a sound of event {event_id}")
    spans = tuple(detection.span for detection in event.detections if detection.span is not None)
    try:
        return Response(_draw_spectrogram(data, spans), media_type="image/png", headers=CACHE_FOREVER)
    except Unreadable as error:
        raise HTTPException(415, str(error)) from error


@cache
def _plotly() -> tuple[bytes, bytes]:
    script = Path(str(distribution("plotly").locate_file("plotly/package_data/plotly.min.js"))).read_bytes()
    return script, gzip.compress(script, 6, mtime=0)


@router.get("/plotly-{version}.js")
def plotly(request: Request, version: str) -> Response:
    """Return plotly.js from the installed plotly package."""
    plain, compressed = _plotly()
    headers = {**CACHE_FOREVER, "Vary": "Accept-Encoding"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(compressed, media_type="text/javascript", headers={**headers, "Content-Encoding": "gzip"})
    return Response(plain, media_type="text/javascript", headers=headers)


@router.get("/favicon.ico")
def favicon() -> FileResponse:
    """Return the icon of the review pages."""
    return FileResponse(Path(__file__).parents[1] / "static" / "mark.svg", media_type="image/svg+xml")
