"""Files of held back messages: append-only, one station each, with a checksum for each message."""

import os
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from contract.private_files import private_opener
from ingest.receive.batch import ReceivedMessage
from ingest.store.microseconds import EPOCH, MICROSECOND, microseconds

_HEADER = struct.Struct("<IqHI")  # CRC-32 of the rest, arrival in microseconds since 1970, bytes of topic and payload


class SegmentWriter:
    """File to which messages are appended; they are durable after ``sync``."""

    def __init__(self, path: Path) -> None:
        """Create the file, readable by its owner only; the caller makes its directory entry durable."""
        self.path = path
        self._file = open(path, "xb", buffering=0, opener=private_opener)  # noqa: SIM115, closed by ``close``
        self.size = 0

    def append(self, messages: Sequence[ReceivedMessage]) -> None:
        """Append messages without making them durable; after an error, the end of the file is cut off again."""
        data = b"".join([_frame(message) for message in messages])
        try:
            written = 0
            view = memoryview(data)
            while written < len(data):
                written += self._file.write(view[written:])
        except OSError:
            self._file.truncate(self.size)
            self._file.seek(self.size)
            raise
        self.size += len(data)

    def sync(self) -> None:
        """Make the appended messages durable."""
        os.fdatasync(self._file.fileno())

    def close(self) -> None:
        """Close the file; idempotent."""
        self._file.close()


class SegmentReader:
    """Reader of a file of messages, also while another thread appends to it."""

    def __init__(self, path: Path) -> None:
        """Open the file at its start."""
        self._file: BinaryIO = path.open("rb")

    def next(self) -> ReceivedMessage | None:
        """Return the next message; None at the end of the file, or at a message that was not written completely."""
        start = self._file.tell()
        header = self._file.read(_HEADER.size)
        if len(header) == _HEADER.size:
            checksum, at_us, topic_bytes, payload_bytes = _HEADER.unpack(header)
            body = self._file.read(topic_bytes + payload_bytes)
            if len(body) == topic_bytes + payload_bytes and zlib.crc32(body, zlib.crc32(header[4:])) == checksum:
                topic = body[:topic_bytes].decode(errors="replace")
                return ReceivedMessage(topic, body[topic_bytes:], EPOCH + at_us * MICROSECOND)
        self._file.seek(start)
        return None

    @property
    def at_end(self) -> bool:
        """Whether ``next`` would return None."""
        start = self._file.tell()
        found = self.next()
        self._file.seek(start)
        return found is None

    def close(self) -> None:
        """Close the file; idempotent."""
        self._file.close()


def _frame(message: ReceivedMessage) -> bytes:
    topic = message.topic.encode(errors="replace")
    rest = _HEADER.pack(0, microseconds(message.at), len(topic), len(message.payload))[4:]
    checksum = zlib.crc32(message.payload, zlib.crc32(topic, zlib.crc32(rest)))
    return b"".join((struct.pack("<I", checksum), rest, topic, message.payload))
