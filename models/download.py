"""Downloads weights files: resumes partial downloads, and verifies the checksum that the registry states."""

import http.client
import os
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

from models.registry import Pinned, WeightsError, WeightsMismatch, check_hash, place_of

_CHUNK = 1 << 16
Progress = Callable[[int, int], None]  # bytes downloaded, total bytes


class Interrupted(WeightsError):
    """The connection broke during a download; the next ``pull`` resumes the download from the partial file."""


def address(url: str, mirror: str | None) -> str:
    """Return the URL of a download: the URL in the registry, or the corresponding URL on a mirror server.

    Args:
        url: The URL in the registry.
        mirror: ``https://mirror.example/models`` replaces the scheme and host of the URL; in
            ``https://proxy.example/{url}``, the complete URL replaces ``{url}``. None: no mirror.

    Raises:
        WeightsError: the resulting URL does not begin with http:// or https://.
    """
    parts = urlsplit(url)
    if not mirror:
        full = url
    elif "{url}" in mirror:
        full = mirror.replace("{url}", url)
    else:
        full = mirror.rstrip("/") + parts.path + (f"?{parts.query}" if parts.query else "")
    if urlsplit(full).scheme not in ("http", "https"):
        raise WeightsError(f"address {full!r}: expected one that begins with http:// or https://")
    return full


def pull(
    entry: Pinned,
    folder: Path,
    mirror: str | None = None,
    progress: Progress | None = None,
    timeout_s: float = 30.0,
) -> Path:
    """Download a weights file or a demo sample into a folder, unless the folder already contains the file.

    Proxies are read from the environment (``https_proxy``, ``no_proxy``).

    Raises:
        WeightsMismatch: the existing or the downloaded file is not the pinned file; a download is removed.
        Interrupted: the connection broke; call again to resume.
        WeightsError: the server refused, or the package that contains the weights is not installed.
    """
    target = place_of(entry, folder)
    if target.is_file():
        check_hash(entry, target)
        return target
    if entry.url is None:
        raise WeightsError(f"{entry.name}: {target} is missing, and the registry has no URL to download it from")
    folder.mkdir(parents=True, exist_ok=True)
    part = _part(entry, folder)
    source = address(entry.url, mirror)
    try:
        _fetch(source, part, entry, progress, timeout_s)
    except urllib.error.HTTPError as error:
        error.close()
        raise WeightsError(f"{entry.name}: {source} answered {error.code} {error.reason}") from error
    except (OSError, http.client.HTTPException) as error:
        received = part.stat().st_size if part.exists() else 0
        raise Interrupted(
            f"{entry.name}: {source}: {error}; {received} of {entry.size} bytes are kept, pull again to resume"
        ) from error
    received = part.stat().st_size
    if received < entry.size:
        raise Interrupted(f"{entry.name}: {source} ended after {received} of {entry.size} bytes; pull again to resume")
    return _install(entry, part, target)


def install(entry: Pinned, source: Path, folder: Path) -> Path:
    """Copy a weights file that the user provides into the weights folder, for a machine without a network.

    Raises:
        WeightsMismatch: the entry does not accept the file.
        WeightsError: the entry's weights are not stored in the weights folder.
        OSError: the file cannot be read or copied.
    """
    if entry.url is None:
        raise WeightsError(f"{entry.name}: its weights are at {place_of(entry, folder)} and cannot be replaced")
    check_hash(entry, source)
    folder.mkdir(parents=True, exist_ok=True)
    part = _part(entry, folder)
    shutil.copyfile(source, part)
    return _install(entry, part, folder / entry.filename)


def _part(entry: Pinned, folder: Path) -> Path:
    # The name contains the hash, so that a partial file is never completed with data of another version.
    return folder / f"{entry.filename}.{entry.sha256[:12]}.part"


def _fetch(source: str, part: Path, entry: Pinned, progress: Progress | None, timeout_s: float) -> None:
    received = part.stat().st_size if part.exists() else 0
    if received > entry.size:
        part.unlink()
        received = 0
    if received == entry.size:
        return
    headers = {"User-Agent": "wildpost", "Accept-Encoding": "identity"}
    if received:
        headers["Range"] = f"bytes={received}-"
    request = urllib.request.Request(source, headers=headers)  # noqa: S310 - address() allows only http and https
    # A separate opener, because the shared opener of urlopen keeps the proxies of its first use.
    with urllib.request.build_opener().open(request, timeout=timeout_s) as response:
        content_range = response.headers.get("Content-Range")
        resumed = response.status == 206 and str(content_range or "").startswith(f"bytes {received}-")
        if response.status == 206 and not resumed:
            raise WeightsError(f"{source} sent Content-Range {content_range!r}: expected it from byte {received}")
        with part.open("ab" if resumed else "wb") as file:
            _copy(response, file, received if resumed else 0, entry, progress)
            file.flush()
            os.fsync(file.fileno())


def _copy(response: BinaryIO, file: BinaryIO, received: int, entry: Pinned, progress: Progress | None) -> None:
    while chunk := response.read(_CHUNK):
        received += len(chunk)
        file.write(chunk)
        if received > entry.size:
            break  # longer than the pinned file: the checksum will fail
        if progress is not None:
            progress(received, entry.size)


def _install(entry: Pinned, part: Path, target: Path) -> Path:
    try:
        check_hash(entry, part)
    except WeightsMismatch:
        part.unlink()
        raise
    part.replace(target)
    return target
