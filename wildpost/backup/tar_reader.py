"""Reads the entries of a backup's tar file one by one, and accepts only what `wildpost backup` writes.

Python's tarfile module also reads sparse files, links, devices and extensions of several tar programs. A header of a
few bytes can then stand for a file of terabytes or a path outside the target. Here an entry is a regular file whose
content is in the archive, byte for byte. Format: POSIX.1-2001 pax, in the section "pax Interchange Format" of
https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html.
"""

import re
from dataclasses import dataclass
from typing import IO

from wildpost.backup.errors import BadArchive

BLOCK = 512
_CHUNK_BYTES = 1 << 20
_ZEROS = bytes(BLOCK)
_NUMBER = re.compile(rb"0*([0-7]{1,11})[ \0]")
_PAX_KEYS = frozenset({"path", "size"})
_MAX_PAX_BYTES = 8192  # a path of 4096 bytes, which is Linux's longest, and a size
_MAX_PADDING_BYTES = 10_240  # tar programs fill the last record, whose size is this by default


@dataclass(frozen=True, slots=True)
class TarEntry:
    """Name and size in bytes of one regular file in a tar archive."""

    name: str
    size: int


class TarReader:
    """Reader of the regular files in a tar archive, in their order, from a file that need not be seekable."""

    def __init__(self, source: IO[bytes], name: str, size: int) -> None:
        """Store the source.

        Args:
            source: The tar archive.
            name: Name of the archive, for error messages.
            size: Upper limit of its size in bytes; an entry that claims to be larger than the rest is refused.
        """
        self._source = source
        self._name = name
        self._left = size  # bytes of the archive that can follow
        self._entry: TarEntry | None = None
        self._unread = 0  # bytes of the current entry
        self._padding = 0

    def next(self) -> TarEntry | None:
        """Return the next entry, after the content of the current entry was read; None at the end of the archive.

        Raises:
            BadArchive: the archive is damaged, or the entry is not a regular file with a plain header.
            OSError: the source cannot be read.
        """
        assert not self._unread, "read the current entry to its end first"  # noqa: S101
        self._exactly(self._padding)
        self._padding = 0
        header = self._header()
        extended: dict[str, str] = {}
        if header is not None and header[156:157] == b"x":
            extended = self._pax(self._number(header[124:136]))
            header = self._header()
        if header is None:
            if extended:
                raise self._bad("an extended header without a file follows it")
            return None
        if (kind := header[156:157]) not in (b"0", b"\0"):
            name = header[:100].rstrip(b"\0").decode(errors="replace")
            raise self._bad(f"entry {name[:200]!r} of type {kind!r} is not a regular file")
        size = int(extended["size"]) if "size" in extended else self._number(header[124:136])
        name = extended["path"] if "path" in extended else self._path(header)
        if size > self._left:
            raise self._bad(f"entry {name[:200]!r} claims {size} bytes; at most {self._left} bytes follow")
        self._entry, self._unread, self._padding = TarEntry(name, size), size, -size % BLOCK
        return self._entry

    def read(self) -> bytes:
        """Return the next bytes of the current entry, at most 1 MiB; empty at its end.

        Raises:
            BadArchive: the archive ends within the entry.
            OSError: the source cannot be read.
        """
        data = self._source.read(min(self._unread, _CHUNK_BYTES)) if self._unread else b""
        if self._unread and not data and self._entry:
            name, size = self._entry.name, self._entry.size
            raise BadArchive(f"{self._name}: truncated in {name}: {self._unread} of its {size} bytes are missing")
        self._unread -= len(data)
        self._left -= len(data)
        return data

    def finish(self) -> None:
        """Check that nothing follows the current entry but the end of the archive.

        Raises:
            BadArchive: the end is missing, or more data follow.
        """
        if (entry := self.next()) is not None:
            raise self._bad(f"another entry follows: {entry.name[:200]!r}")
        rest = self._source.read(_MAX_PADDING_BYTES + 1)
        if len(rest) > _MAX_PADDING_BYTES or rest.strip(b"\0"):
            raise self._bad("data follow the end of the archive")

    def _header(self) -> bytes | None:
        """Return the next header block, or None at the two empty blocks that end an archive."""
        block = self._exactly(BLOCK)
        if block == _ZEROS:
            if self._exactly(BLOCK) != _ZEROS:
                raise self._bad("an empty block is followed by data")
            return None
        expected = re.fullmatch(rb"0*([0-7]{1,8})[ \0]{0,2}", block[148:156])
        found = sum(block[:148]) + 8 * 0x20 + sum(block[156:])
        if expected is None or int(expected[1], 8) != found or block[257:265] != b"ustar\x0000":
            raise self._bad("no valid header of a POSIX tar file follows")
        return block

    def _pax(self, size: int) -> dict[str, str]:
        """Read the records ``LENGTH KEY=VALUE`` of an extended header."""
        if size > _MAX_PAX_BYTES:
            raise self._bad(f"an extended header of {size} bytes; at most {_MAX_PAX_BYTES} are read")
        data = self._exactly(size + -size % BLOCK)[:size]
        values: dict[str, str] = {}
        while data:
            found = re.match(rb"([1-9][0-9]{0,4}) ([^=\n]+)=", data)
            end = int(found[1]) if found else 0
            if found is None or not found.end() <= end - 1 < len(data) or data[end - 1 : end] != b"\n":
                raise self._bad("its extended header is not valid")
            key, value = found[2].decode(errors="replace"), self._text(data[found.end() : end - 1])
            if key not in _PAX_KEYS or key in values:
                raise self._bad(f"its extended header has {key[:100]!r}, which no backup has")
            if key == "size" and not re.fullmatch("[0-9]{1,18}", value):
                raise self._bad(f"its extended header has the size {value[:100]!r}")
            values[key] = value
            data = data[end:]
        return values

    def _path(self, header: bytes) -> str:
        name, prefix = header[:100].rstrip(b"\0"), header[345:500].rstrip(b"\0")
        return self._text(prefix + b"/" + name if prefix else name)

    def _text(self, data: bytes) -> str:
        try:
            return data.decode()
        except UnicodeDecodeError:
            raise self._bad(f"the name {data[:100]!r} is not UTF-8") from None

    def _number(self, field: bytes) -> int:
        if (found := _NUMBER.fullmatch(field)) is None:
            raise self._bad(f"the number {field!r} in a header is not octal")
        return int(found[1], 8)

    def _exactly(self, size: int) -> bytes:
        data = self._source.read(size) if size else b""
        if len(data) < size:
            raise self._bad("the file ends: it is truncated")
        self._left -= size
        return data

    def _bad(self, fault: str) -> BadArchive:
        place = f"damaged after {self._entry.name}" if self._entry else "not a backup of Wildpost"
        return BadArchive(f"{self._name}: {place}: {fault}")
