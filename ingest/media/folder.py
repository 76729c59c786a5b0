"""Media store in a local folder; the file ``ab/abcdef...`` has the content with the SHA-256 ``abcdef...``."""

import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from contract.durable_file import files_synced
from contract.private_files import FOLDER_MODE, make_private_folder
from ingest.media.port import MediaMissing, check_hash

_PART = "[0-9a-f]{2}"


class FolderMedia:
    """Media store in a local folder; implements ``MediaStore``."""

    def __init__(self, folder: Path) -> None:
        """Use a folder for media files, and create the folder if it does not exist."""
        self._folder = folder
        make_private_folder(folder)

    def put(self, data: bytes, sha256: str) -> None:
        """Store the bytes of one thumbnail or clip; see ``MediaStore.put``."""
        self.put_all({sha256: data})

    def put_all(self, contents: Mapping[str, bytes]) -> None:
        """Write the contents to files in the folder, then flush all of them at once; see ``MediaStore.put_all``."""
        for sha256, data in contents.items():
            check_hash(sha256, data)
        with files_synced(self._folder) as written:
            for sha256, data in contents.items():
                written.append(self._write(self._path(sha256), data))

    def _write(self, final: Path, data: bytes) -> Path:
        # After a power failure, a file that was not flushed yet may be there without its content.
        if final.exists() and final.read_bytes() == data:
            return final
        final.parent.mkdir(mode=FOLDER_MODE, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".", dir=final.parent)  # readable by its owner only
        partial = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            partial.rename(final)  # a reader never sees a partial file
        except OSError as error:
            partial.unlink(missing_ok=True)
            raise OSError(error.errno, f"media of {len(data)} bytes: {error.strerror}", str(final)) from error
        return final

    def open(self, sha256: str) -> BinaryIO:
        """Open the file whose content has the given SHA-256; see ``MediaStore.open``."""
        try:
            return self._path(sha256).open("rb")
        except FileNotFoundError as error:
            raise MediaMissing(f"no media {sha256} in {self._folder}") from error

    def names(self) -> Iterator[str]:
        """Yield the SHA-256 of every file in the folder, sorted; see ``MediaStore.names``."""
        for part in sorted(entry.name for entry in os.scandir(self._folder) if re.fullmatch(_PART, entry.name)):
            inside = (entry.name for entry in os.scandir(self._folder / part))
            yield from sorted(name for name in inside if re.fullmatch(rf"{part}[0-9a-f]{{62}}", name))

    def _path(self, sha256: str) -> Path:
        # The hash may come from a URL: anything but a hash must not become a path.
        if not re.fullmatch(r"[0-9a-f]{64}", sha256):
            raise MediaMissing(f"{sha256[:100]!r} is not a SHA-256 in lower case hexadecimal")
        return self._folder / sha256[:2] / sha256
