"""Finds an original that somebody asked for among what the station keeps, and sends it in parts."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from captures.file_kind import kind_of_path
from contract import encode
from contract.commands import PART_BYTES, MediaPart, MediaRequest
from edge.capture.originals import Originals
from edge.outbox.outbox import Outbox, OutboxMessage

_MEMORY = "transfers"  # name in the outbox's memory
MOST_TRANSFERS = 20
_PARTS_WAITING = 8  # 1 MB in the outbox, whatever is asked for
PRIORITY = 2  # before thumbnails: a person waits for it


class Withheld(Exception):
    """The voice policy forbids that the original leaves the station."""


class Transfer(msgspec.Struct, frozen=True):
    """An original on its way.

    Attributes:
        nonce: Id of the command.
        serial: Serial of the command.
        request: What was asked for.
        path: Its file.
        offset: Number of bytes that are in the outbox or were sent.
    """

    nonce: str
    serial: int
    request: MediaRequest
    path: str
    offset: int = 0


@dataclass(frozen=True, slots=True)
class KeptOriginals:
    """Where the station's originals are.

    Attributes:
        outbox: Knows the files of watched folders that were processed.
        own: Folder of what a sensor records itself, by the sensor's name.
        sounds_may_leave: Whether recordings and films of watched folders may be sent, under the voice policy. The
            station's own recordings are kept only if they may.
    """

    outbox: Outbox
    own: Mapping[str, Originals]
    sounds_may_leave: bool

    def find(self, request: MediaRequest) -> Path | None:
        """Return the file with the size and hash that are asked for; None if the station does not have it any more.

        The file is found by its content: a name in a request opens no file that is not an original.

        Raises:
            Withheld: it is a sound that must not leave the station.
        """
        originals = self.own.get(request.sensor)
        if originals is not None and _has_content(path := originals.folder / Path(request.name).name, request):
            return path
        for path in map(Path, self.outbox.paths_of_size(request.size)):
            if _has_content(path, request):
                kind = kind_of_path(path)
                if not self.sounds_may_leave and (kind is None or kind.family != "picture"):
                    raise Withheld(f"{path.name}: the voice policy of this station withholds recordings")
                return path
        return None


class Transfers:
    """Originals on their way, as the outbox remembers them; for use by one thread."""

    def __init__(self, station: str, topic: str, outbox: Outbox) -> None:
        """Continue what an earlier run of the station began.

        Args:
            station: Name of the station.
            topic: Topic of the parts.
            outbox: Receives the parts.
        """
        self._station, self._topic, self._outbox = station, topic, outbox
        text = outbox.remembered(_MEMORY)
        self._transfers = msgspec.json.decode(text, type=list[Transfer]) if text else []

    @property
    def is_full(self) -> bool:
        """Whether no more transfers are accepted."""
        return len(self._transfers) >= MOST_TRANSFERS

    def with_new(self, transfer: Transfer) -> Mapping[str, str]:
        """Return what to commit to the outbox's memory for a new transfer; call ``began`` after the commit."""
        return _memory([*self._transfers, transfer])

    def began(self, transfer: Transfer) -> None:
        """Add a transfer that was committed."""
        self._transfers.append(transfer)

    def feed(self, lost: Callable[[Transfer, str], OutboxMessage]) -> bool:
        """Put the next parts of the first original into the outbox, if few wait there; return whether any is left.

        Args:
            lost: Returns the answer for an original that has disappeared meanwhile.

        Raises:
            OutboxFull: the disk is full; nothing is lost.
        """
        if not self._transfers:
            return False
        room = _PARTS_WAITING - self._outbox.unsent_on(self._topic)
        if room <= 0:
            return True
        first, rest = self._transfers[0], self._transfers[1:]
        try:
            parts = self._parts(first, room)
        except OSError as error:
            message = lost(first, f"{first.request.name}: {error.strerror or error}")
            self._outbox.commit([message], memory=_memory(rest))
            self._transfers = rest
            return bool(rest)
        offset = first.offset + sum(len(part.data) for part in parts)
        ended = offset >= first.request.size
        left = rest if ended else [msgspec.structs.replace(first, offset=offset), *rest]
        messages = [OutboxMessage(self._topic, encode(part), PRIORITY) for part in parts]
        self._outbox.commit(messages, memory=_memory(left))
        self._transfers = left
        return bool(left)

    def _parts(self, transfer: Transfer, most: int) -> list[MediaPart]:
        request, parts = transfer.request, []
        with Path(transfer.path).open("rb") as file:
            file.seek(transfer.offset)
            for number in range(most):
                offset = transfer.offset + number * PART_BYTES
                wanted = min(PART_BYTES, request.size - offset)
                if wanted <= 0:
                    break
                data = file.read(wanted)
                if len(data) < wanted:
                    raise OSError(f"the file has shrunk to {offset + len(data)} of {request.size} bytes")
                parts.append(
                    MediaPart(
                        event_id=request.event_id,
                        station=self._station,
                        sha256=request.sha256,
                        size=request.size,
                        offset=offset,
                        data=data,
                    )
                )
        return parts


def _memory(transfers: list[Transfer]) -> Mapping[str, str]:
    return {_MEMORY: msgspec.json.encode(transfers).decode()}


def _has_content(path: Path, request: MediaRequest) -> bool:
    try:
        if path.stat().st_size != request.size:
            return False
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == request.sha256
    except OSError:
        return False
