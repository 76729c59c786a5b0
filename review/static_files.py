"""Serves stylesheets, scripts and icons from memory, compressed, under addresses that change with their content."""

import gzip
import hashlib
import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fastapi import APIRouter, HTTPException, Request, Response

from review.security.access_rules import PUBLIC, access

FOLDER = Path(__file__).parent / "static"
_FOREVER = "public, max-age=31536000, immutable"
_CHECK_ALWAYS = "no-cache"  # stored, but compared by ETag at each use: the address names no version


@dataclass(frozen=True, slots=True)
class StaticFile:
    """A file of the pages: its content, also compressed, its media type and the start of its SHA-256."""

    content: bytes
    compressed: bytes
    media_type: str
    version: str


class StaticFiles:
    """All files of a folder, read once: a request opens no file, and no path leads out of the folder."""

    def __init__(self, folder: Path = FOLDER) -> None:
        """Read the files of a folder."""
        self._files: Mapping[str, StaticFile] = {file.name: _read(file) for file in folder.iterdir() if file.is_file()}

    def address(self, name: str) -> str:
        """Return the URL path of a file with its version, for templates.

        Raises:
            KeyError: there is no such file.
        """
        return f"/static/{name}?v={self._files[name].version}"

    def response(self, name: str, request: Request) -> Response:
        """Return the response to a request for a file; browsers store it for good if the address has its version.

        Raises:
            HTTPException: there is no such file.
        """
        file = self._files.get(name)
        if file is None:
            raise HTTPException(404)
        headers = {
            "Cache-Control": _FOREVER if request.query_params.get("v") == file.version else _CHECK_ALWAYS,
            "ETag": f'W/"{file.version}"',  # weak: the same for both encodings
            "Vary": "Accept-Encoding",
        }
        if "gzip" in request.headers.get("accept-encoding", ""):
            return Response(file.compressed, media_type=file.media_type, headers=headers | {"Content-Encoding": "gzip"})
        return Response(file.content, media_type=file.media_type, headers=headers)


def _read(file: Path) -> StaticFile:
    content = file.read_bytes()
    kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    return StaticFile(content, gzip.compress(content, mtime=0), kind, hashlib.sha256(content).hexdigest()[:16])


def static_router(files: StaticFiles) -> APIRouter:
    """Return the route of the files, /static/NAME."""
    router = APIRouter()

    @router.get("/static/{name}")
    @access(PUBLIC)
    async def static(request: Request, name: str) -> Response:
        """Return a stylesheet, script or icon."""
        return files.response(name, request)

    return router
