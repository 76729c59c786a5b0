"""Endpoints for pictures, sounds and spectrograms.

``review.security.answer_headers`` sets how long browsers keep them, and that they show them as what we say they are.
"""

import re
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Header, HTTPException, Response
from fastapi.responses import FileResponse, JSONResponse

from captures.decoded import Unreadable
from captures.media_type import SOUND_TYPES, media_type
from captures.sent_media import check_sent
from i18n.file_problems import explain_file_problem
from ingest.drawing.drawings import CannotDraw, DrawingBusy
from ingest.media.port import MediaMissing
from review.page import ContextDependency, PageContext
from review.security.access_rules import PUBLIC, SEE, access

router = APIRouter()
SHOWN_BY_PAGES = ("image", "audio", "video")  # what browsers send as Sec-Fetch-Dest
MEDIA_HEADERS = {"Content-Disposition": "inline"}
SHA256 = re.compile(r"[0-9a-f]{64}")


class MediaGone(Exception):
    """The media store does not have a file."""


def parse_range(header: str, size: int) -> tuple[int, int] | None:
    """Parse a Range header into the first and last byte; return None if it is out of range or has several ranges."""
    found = re.fullmatch(r"bytes=(\d{0,18})-(\d{0,18})", header)
    if found is None or found[0] == "bytes=-":
        return None
    if not found[1]:
        start, end = max(0, size - int(found[2])), size - 1
    else:
        start, end = int(found[1]), min(int(found[2]) if found[2] else size - 1, size - 1)
    return (start, end) if start <= end and start < size else None


def _content(context: ContextDependency, sha256: str) -> bytes:
    if not SHA256.fullmatch(sha256) or not context.site.may_be_seen(sha256):
        raise HTTPException(404)
    try:
        with context.site.media.open(sha256) as file:
            return file.read()
    except MediaMissing as error:
        raise MediaGone from error


@router.get("/media/{sha256}")
@access(SEE)
def media(
    context: ContextDependency,
    sha256: str,
    range_header: Annotated[str, Header(alias="range", include_in_schema=False)] = "",
    fetched_as: Annotated[str, Header(alias="sec-fetch-dest", include_in_schema=False)] = "",
) -> Response:
    """Return a picture or sound; if the client requests a byte range, return only that range."""
    if fetched_as not in SHOWN_BY_PAGES:  # the pages are recorded themselves
        context.note("viewed", f"file {sha256}")
    try:
        data = _content(context, sha256)
        kind = check_sent(data)
    except MediaGone:
        return _gone(context)
    except Unreadable as error:
        return _cannot_be_shown(context, str(error))
    headers = {**MEDIA_HEADERS, "Accept-Ranges": "bytes", "ETag": f'"{sha256}"'}
    if not range_header.startswith("bytes="):
        return Response(data, media_type=kind, headers=headers)
    byte_range = parse_range(range_header, len(data))
    if byte_range is None:
        return Response(status_code=416, headers={"Content-Range": f"bytes */{len(data)}"})
    start, end = byte_range
    headers["Content-Range"] = f"bytes {start}-{end}/{len(data)}"
    return Response(data[start : end + 1], status_code=206, media_type=kind, headers=headers)


@router.get("/events/{event_id}/spectrogram-{sha256}.png")
@access(SEE)
def spectrogram(context: ContextDependency, event_id: str, sha256: str) -> Response:
    """Return the spectrogram of a sound (x: time, y: frequency) with its detections marked."""
    event = context.site.event(event_id)
    if event is None or sha256 not in {media.sha256 for media in event.media}:
        raise HTTPException(404)
    spans = tuple(detection.span for detection in event.detections if detection.span is not None)
    try:
        drawn = context.site.drawings.spectrogram(sha256, lambda: _sound(context, sha256), spans)
    except MediaGone:
        return _gone(context)
    except CannotDraw as error:
        return _cannot_be_shown(context, str(error))
    except DrawingBusy as error:
        return JSONResponse({"error": str(error)}, 503, headers={"Retry-After": str(error.retry_after_s)})
    return Response(drawn, media_type="image/png", headers=MEDIA_HEADERS)


def _sound(context: PageContext, sha256: str) -> bytes:
    data = _content(context, sha256)
    if media_type(data) not in SOUND_TYPES:
        raise CannotDraw(f"starts with {data[:8]!r}: expected a sound")
    return data


def _gone(context: PageContext) -> Response:
    return JSONResponse({"error": context.language.translate("The file is no longer on the server.")}, 404)


def _cannot_be_shown(context: PageContext, reason: str) -> Response:
    """Return the reason to the script of the page, which shows it in place of the picture."""
    sentence = explain_file_problem(reason, context.language)
    return JSONResponse({"error": reason, "sentence": sentence}, 415)


@router.get("/favicon.ico")
@access(PUBLIC)
def favicon() -> FileResponse:
    """Return the icon of the review pages."""
    return FileResponse(Path(__file__).parents[1] / "static" / "mark.svg", media_type="image/svg+xml")
