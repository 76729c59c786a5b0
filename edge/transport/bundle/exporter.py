"""Export of unsent messages to a USB stick, and deletion of the messages that receipts on the stick confirm."""

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct

from contract.bundle.documents import (
    MAX_DOCUMENT_BYTES,
    RECEIPT_SUFFIX,
    SUFFIX,
    BundleEntry,
    BundleUnreadable,
    Manifest,
    Receipt,
    decode_document,
    message_sha256,
)
from contract.bundle.reader import BundleReader
from contract.bundle.writer import BLOCK_BYTES, padded, write_bundle
from contract.durable_file import PARTIAL
from contract.errors import Undelivered
from edge.outbox.outbox import Outbox, OutboxFull
from edge.outbox.snapshot import OutboxSnapshot

_MAX_ENTRIES = 20_000  # in one bundle: its manifest is held in memory
_ENTRY_BYTES = 160  # in the manifest, without the topic
_OVERHEAD_BYTES = 8 * BLOCK_BYTES  # of a bundle without entries, generously
_RESERVE_BYTES = 1_000_000  # left free on the stick, for receipts and the file system
_DELETED_AT_ONCE = 1000  # messages in one transaction of the outbox


class BundleOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Folder, size limit and interval of exports to a USB stick.

    Attributes:
        folder: Folder on the stick. It is never created: a missing folder is a stick that is not plugged in.
        max_bytes: Largest size of one bundle; more messages are split into several. FAT32 allows 4 GiB a file.
        every_s: Pause between two exports while the transport runs.
    """

    folder: str
    max_bytes: Annotated[int, Meta(ge=10_000_000, le=4_000_000_000)] = 256_000_000
    every_s: Annotated[float, Meta(gt=0)] = 60.0


@dataclass(frozen=True, slots=True)
class ExportReport:
    """Result of one export: the files written, and the numbers of exported, confirmed and left-out messages.

    Attributes:
        written: The new bundles.
        messages: Number of messages in them.
        size_bytes: Their total size.
        already_there: Unsent messages that intact bundles on the stick held before.
        confirmed: Messages deleted from the outbox, since receipts on the stick list them.
        left_out: Messages for which the stick has no room.
        problems: Receipts that could not be read, and what servers could not read.
    """

    written: tuple[Path, ...]
    messages: int
    size_bytes: int
    already_there: int
    confirmed: int
    left_out: int
    problems: tuple[str, ...]


@dataclass(slots=True)
class _Plan:
    """Messages chosen for the next bundle, and the bundle's size."""

    entries: list[BundleEntry] = field(default_factory=list)
    size_bytes: int = _OVERHEAD_BYTES


class BundleExporter:
    """Exporter of the unsent messages of one station's outbox to a folder on a USB stick."""

    def __init__(self, options: BundleOptions, station: str, outbox: Outbox, version: str = "") -> None:
        self._max_bytes = options.max_bytes
        self.folder = Path(options.folder)
        self._station = station
        self._outbox = outbox
        self._version = version
        # Both spare a transport that exports every minute from reading everything again.
        self._hashes: dict[int, str] = {}  # of unsent messages, by number
        self._intact: dict[tuple[str, int, int], frozenset[tuple[int, str]]] = {}  # by name, size and time of a bundle

    def export(self) -> ExportReport:
        """Process the receipts on the stick, then export the unsent messages that no intact bundle on it contains.

        A bundle for which a receipt was taken in is deleted together with the receipt. An export may be interrupted at
        any instant, and repeated at any time.

        Raises:
            Undelivered: the folder is missing or not writable, the stick fails, or another export is writing there.
            OutboxFull: the station's own disk is full.
            OutboxError: the outbox is corrupt.
        """
        with self._stick():
            confirmed, problems = self._take_receipts()
            for partial in self.folder.glob(f".{self._station}-*{SUFFIX}{PARTIAL}"):
                partial.unlink()  # of an export that was killed
            with OutboxSnapshot(self._outbox.path) as snapshot:
                unsent = self._unsent(snapshot)
                held = self._held_by_intact_bundles()
                new = [entry for entry in unsent if (entry.number, entry.sha256) not in held]
                written, left_out = self._write(new, snapshot)
        return ExportReport(
            written=tuple(written),
            messages=len(new) - left_out,
            size_bytes=sum(path.stat().st_size for path in written),
            already_there=len(unsent) - len(new),
            confirmed=confirmed,
            left_out=left_out,
            problems=tuple(problems),
        )

    @contextlib.contextmanager
    def _stick(self) -> Iterator[None]:
        """Lock the folder against other exports during a ``with`` block; convert file errors to ``Undelivered``."""
        try:
            handle = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                yield
            finally:
                os.close(handle)
        except OutboxFull:
            raise
        except BlockingIOError as error:
            raise Undelivered(f"{self.folder}: another export is writing there") from error
        except OSError as error:
            raise Undelivered(
                f"{self.folder}: {error.strerror or error}; is the stick plugged in and writable?"
            ) from error

    def _take_receipts(self) -> tuple[int, list[str]]:
        confirmed, problems = 0, []
        for path in sorted(self.folder.glob(f"{self._station}-*{SUFFIX}{RECEIPT_SUFFIX}")):
            try:
                receipt = _read_receipt(path)
            except BundleUnreadable as error:
                problems.append(f"{path.name}: {error}; import the bundle again")
                continue
            if receipt.station != self._station:
                continue  # of a station whose name begins like this one's
            confirmed += self._delete_confirmed(receipt)
            problems += [f"{receipt.bundle}: {problem}" for problem in receipt.problems]
            # What the server could not read is still in the outbox, and is written again. The receipt goes last: as
            # long as it is there, this can be repeated.
            path.with_name(path.name.removesuffix(RECEIPT_SUFFIX)).unlink(missing_ok=True)
            path.unlink()
        return confirmed, problems

    def _delete_confirmed(self, receipt: Receipt) -> int:
        numbers = []
        with OutboxSnapshot(self._outbox.path) as snapshot:
            for entry in receipt.entries:
                # The hash protects the messages of a new outbox, whose numbers begin at 1 again.
                message = snapshot.message(entry.number)
                if message is not None and message_sha256(*message) == entry.sha256:
                    numbers.append(entry.number)
        for start in range(0, len(numbers), _DELETED_AT_ONCE):
            self._outbox.forget(numbers[start : start + _DELETED_AT_ONCE])
        return len(numbers)

    def _unsent(self, snapshot: OutboxSnapshot) -> list[BundleEntry]:
        entries = []
        for number, topic, size in snapshot.unsent():
            sha256 = self._hashes.get(number) or message_sha256(*_present(snapshot.message(number)))
            entries.append(BundleEntry(number=number, topic=topic, size=size, sha256=sha256))
        self._hashes = {entry.number: entry.sha256 for entry in entries}
        return entries

    def _held_by_intact_bundles(self) -> set[tuple[int, str]]:
        intact = {}
        for path in self.folder.glob(f"{self._station}-*{SUFFIX}"):
            found = path.lstat()
            key = (path.name, found.st_size, found.st_mtime_ns)
            intact[key] = self._intact[key] if key in self._intact else self._read_back(path)
        self._intact = intact
        return set().union(*intact.values())

    def _read_back(self, path: Path) -> frozenset[tuple[int, str]]:
        """Return the number and hash of each intact message in a bundle; none if the bundle cannot be read.

        A bundle is incomplete if the stick was unplugged before all data was written.
        """
        try:
            with BundleReader(path) as bundle:
                if bundle.manifest.station != self._station:
                    return frozenset()
                return frozenset((one.entry.number, one.entry.sha256) for one in bundle.entries() if one.reason is None)
        except (BundleUnreadable, OSError):
            return frozenset()  # written once more, under another name

    def _write(self, entries: Sequence[BundleEntry], snapshot: OutboxSnapshot) -> tuple[list[Path], int]:
        """Write bundles until all entries are written or the stick is full; return the files and how many are left."""
        written: list[Path] = []
        done = 0
        while done < len(entries):
            room = min(self._max_bytes, shutil.disk_usage(self.folder).free - _RESERVE_BYTES)
            plan = _plan(entries, done, room)
            if not plan.entries:
                break
            manifest = Manifest(
                station=self._station,
                created_at=datetime.now(UTC),
                entries=tuple(plan.entries),
                wildpost=self._version,
            )
            payloads = (_present(snapshot.message(entry.number))[1] for entry in plan.entries)
            path = write_bundle(self.folder, manifest, payloads)
            found = path.stat()
            self._intact[path.name, found.st_size, found.st_mtime_ns] = frozenset(
                (entry.number, entry.sha256) for entry in plan.entries
            )
            written.append(path)
            done += len(plan.entries)
        return written, len(entries) - done


def _plan(entries: Sequence[BundleEntry], start: int, room: int) -> _Plan:
    """Choose consecutive entries, from index ``start``, for one bundle of at most ``room`` bytes."""
    plan = _Plan()
    for entry in entries[start : start + _MAX_ENTRIES]:
        size = BLOCK_BYTES + padded(entry.size) + _ENTRY_BYTES + len(entry.topic.encode())
        if plan.size_bytes + size > room:
            break
        plan.entries.append(entry)
        plan.size_bytes += size
    return plan


def _present(message: tuple[str, bytes] | None) -> tuple[str, bytes]:
    assert message is not None  # noqa: S101, a snapshot does not change
    return message


def _read_receipt(path: Path) -> Receipt:
    if path.is_symlink() or not path.is_file() or path.stat().st_size > MAX_DOCUMENT_BYTES:
        raise BundleUnreadable(f"not a file of at most {MAX_DOCUMENT_BYTES} bytes")
    return decode_document(path.read_bytes(), Receipt)
