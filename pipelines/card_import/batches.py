"""Batches of messages on their way to the server: one bundle for each station, durable together with the ledger.

A batch is a folder with its number. Its bundles are written first; then the ledger's transaction commits, with the
number of the batch. So a folder with a later number than the ledger's is left over from a killed import, whose files
the ledger does not know: it is removed, and the files are examined again.
"""

import shutil
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from contract.bundle.documents import BundleEntry, Manifest, message_sha256
from contract.bundle.writer import write_bundle
from contract.durable_file import sync_folder
from contract.private_files import make_private_folder
from edge.outbox.message import OutboxMessage
from pipelines.card_import.ledger import Ledger

MOST_MESSAGES = 1_000
MOST_BYTES = 20_000_000
OLDEST_S = 5.0  # so that people on a card are reported soon, and a killed import repeats little
_NUMBER = "batch"


class Batches:
    """Collects messages, and writes them as batches."""

    def __init__(self, folder: Path, ledger: Ledger, version: str) -> None:
        """Remove what a killed import left over.

        Args:
            folder: Folder of the batches.
            ledger: The ledger; a transaction is open whenever messages are waiting.
            version: Version of this program, for the manifests.
        """
        make_private_folder(folder)
        self._folder = folder
        self._ledger = ledger
        self._version = version
        self._number = int(ledger.remembered(_NUMBER) or 0)
        for left_over in folder.iterdir():
            if not left_over.name.isdigit() or int(left_over.name) > self._number:
                shutil.rmtree(left_over)
        self._waiting: dict[str, list[OutboxMessage]] = {}
        self._bytes = self._count = 0
        self._began: float | None = None

    @property
    def written(self) -> list[Path]:
        """Folders of the batches that are durable and not delivered yet, oldest first."""
        return sorted(self._folder.iterdir(), key=lambda one: int(one.name))

    def begin(self) -> None:
        """Begin the ledger's transaction, unless one is open."""
        if self._began is None:
            self._ledger.begin()
            self._began = time.monotonic()

    def add(self, station: str, messages: Sequence[OutboxMessage]) -> None:
        """Add messages of a station to the current batch."""
        self._waiting.setdefault(station, []).extend(messages)
        self._count += len(messages)
        self._bytes += sum(len(one.payload) for one in messages)

    @property
    def is_due(self) -> bool:
        """Whether the current batch is large or old enough to be written."""
        if self._began is None:
            return False
        return self._count >= MOST_MESSAGES or self._bytes >= MOST_BYTES or time.monotonic() - self._began >= OLDEST_S

    def commit(self) -> Path | None:
        """Make the current batch durable; return its folder, or None if it has no messages.

        Raises:
            OSError: the disk is full or not writable; nothing is durable then.
        """
        if self._began is None:
            return None
        folder: Path | None = None
        if self._count:
            number = self._number + 1
            folder = self._folder / str(number)
            make_private_folder(folder)
            for station, messages in self._waiting.items():
                self._write(folder, station, messages)
            sync_folder(self._folder)
            self._ledger.remember({_NUMBER: str(number)})
            self._number = number
        self._ledger.commit()
        self._waiting, self._bytes, self._count, self._began = {}, 0, 0, None
        return folder

    def _write(self, folder: Path, station: str, messages: Sequence[OutboxMessage]) -> None:
        # Media follow their events, people come first: as a station sends them.
        ordered = sorted(messages, key=lambda one: one.priority)
        entries = tuple(
            BundleEntry(
                number=number,
                topic=one.topic,
                size=len(one.payload),
                sha256=message_sha256(one.topic, one.payload),
            )
            for number, one in enumerate(ordered, start=1)
        )
        manifest = Manifest(station=station, created_at=datetime.now(UTC), entries=entries, wildpost=self._version)
        write_bundle(folder, manifest, (one.payload for one in ordered))
