"""Message source that imports bundles from a folder, and writes a receipt when a bundle's messages are durable."""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from contract import parse_topic
from contract.bundle.documents import (
    RECEIPT_SUFFIX,
    SUFFIX,
    BundleUnreadable,
    Manifest,
    Receipt,
    ReceivedEntry,
    encode_document,
    station_in_name,
)
from contract.bundle.reader import BundleReader, EntryRead
from contract.codec import Reason
from contract.durable_file import durable_file
from contract.errors import StoreUnavailable
from contract.supervision import SupervisedThread, Supervisor, describe_exception
from ingest.receive.batch import ReceivedMessage
from ingest.receive.bundle.refusals import Refusals
from ingest.receive.folder_lock import FolderLock
from ingest.receive.local_delivery import LocalDelivery
from ingest.receive.message_buffer import BufferedMessage, MessageBuffer

LOG = logging.getLogger("wildpost.bundle")
REFUSED = ".refused"  # added to the name of a bundle that cannot be read; the file is kept for a person to look at
_CONNECTION = -1  # marks messages of bundles
_ATTEMPTS = 3
_PORTION = 500  # messages delivered at once
_PORTION_BYTES = 8_000_000
_UNACKNOWLEDGED = 1500  # at most, beside the last portion: the buffer is shared with live messages


class BundleSource:
    """Thread that imports bundles from a folder; implements ``MessageSource``.

    Only one process at a time imports from a folder.
    """

    def __init__(
        self,
        folder: Path,
        prefix: str,
        quarantine: Callable[..., int],
        every_s: float = 1.0,
        settle_s: float = 10.0,
        supervisor: Supervisor | None = None,
    ) -> None:
        """Create the import thread without starting it; see ``start``.

        Args:
            folder: Folder into which complete bundles are copied under their own names.
            prefix: First levels of every topic of this site; messages with other topics are refused.
            quarantine: Function that stores ``Quarantined`` records; it is idempotent.
            every_s: Pause in seconds between two searches of the folder.
            settle_s: Seconds for which an incomplete file must be unchanged; until then, it may still be being copied.
            supervisor: Register of the failures.
        """
        self._folder = folder
        self._prefix = prefix
        self._quarantine = quarantine
        self._every_s = every_s
        self._settle_s = settle_s
        self._lock = FolderLock(folder)
        self._buffer: MessageBuffer  # set by ``start``
        self._stopping = threading.Event()  # replaced by the pipeline's
        self._delivery = LocalDelivery(_CONNECTION)
        self._importing = False
        self._done_at = time.monotonic()
        self._problem = ""
        self._failures: Counter[Path] = Counter()  # consecutive unexpected exceptions
        self._supervisor = supervisor
        self._thread: SupervisedThread | None = None

    @property
    def connected(self) -> bool:
        """Whether this process holds the lock on the folder; see ``MessageSource.connected``."""
        return self._lock.held

    @property
    def problem(self) -> str:
        """Problem that prevents the import of bundles, as text; see ``MessageSource.problem``."""
        return self._problem

    @property
    def idle_s(self) -> float:
        """Seconds since the folder was last searched for bundles; see ``MessageSource.idle_s``.

        0 during an import, or if another process holds the lock on the folder.
        """
        return 0.0 if self._importing or not self.connected else time.monotonic() - self._done_at

    def start(self, buffer: MessageBuffer, stopping: threading.Event, answer_s: float) -> None:
        """Start the import thread without waiting for ``answer_s``; see ``MessageSource.start``."""
        self._buffer, self._stopping = buffer, stopping
        self._thread = SupervisedThread("bundles", self._step, self._supervisor, stopping, daemon=True)
        self._thread.start()

    def acknowledge(self, batch: Sequence[BufferedMessage]) -> None:
        """Count messages of the current bundle as durable; see ``MessageSource.acknowledge``."""
        self._delivery.acknowledge(batch)

    def stop(self) -> None:
        """Stop the import thread; see ``MessageSource.stop``.

        The next start imports an unfinished bundle again from its beginning.
        """
        self._stopping.set()
        if self._thread is not None:
            self._thread.stop()
        self._lock.release()

    def _step(self) -> float:
        self._look()
        return self._every_s

    def _look(self) -> None:
        """Import every bundle in the folder; a bundle that fails does not prevent the import of the others."""
        problems = []
        try:
            if self._lock.acquire():
                for path in sorted(self._folder.glob(f"*{SUFFIX}")):
                    if path.name.startswith(".") or self._stopping.is_set():
                        continue
                    self._importing = True
                    try:
                        self._take_in(path)
                    except (OSError, StoreUnavailable) as error:
                        problems.append(f"{path} is not taken in until this is mended: {error}")
                    except Exception as error:  # noqa: BLE001, ``_fail`` logs it
                        problems.append(self._fail(path, error))
                    else:
                        self._failures.pop(path, None)
        except OSError as error:
            problems.append(f"no bundles are taken in until this is mended: {error}")
        finally:
            self._importing, self._done_at = False, time.monotonic()
        self._note("; ".join(problems))

    def _fail(self, path: Path, error: Exception) -> str:
        """Record an unexpected exception; a bundle that causes several is refused, so that the others continue."""
        problem = f"the server fails at this bundle: {describe_exception(error)}"
        self._failures[path] += 1
        if self._failures[path] == 1:
            LOG.error("%s: %s", path.name, problem, exc_info=error)
        if self._failures[path] >= _ATTEMPTS:
            self._refuse(path, problem)
            self._failures.pop(path, None)
        return f"{path}: {problem}"

    def _take_in(self, path: Path) -> None:
        settled = time.time() - path.lstat().st_ctime >= self._settle_s
        try:
            with BundleReader(path) as bundle:
                if bundle.truncated and not settled:
                    return
                receipt = self._deliver(bundle, path.name)
        except BundleUnreadable as error:
            if settled:
                self._refuse(path, str(error))
            return
        if receipt is not None:
            self._answer(path, receipt)
            path.unlink()

    def _deliver(self, bundle: BundleReader, name: str) -> Receipt | None:
        """Deliver the usable messages of a bundle, wait until they are durable, and return the receipt.

        None if the server is stopping.
        """
        if not self._delivery.wait(0, self._stopping):  # of an attempt that failed half-way
            return None
        station = bundle.manifest.station
        received: list[ReceivedEntry] = []
        refusals = Refusals(station, name)
        for portion in _portions(self._checked(one, bundle.manifest) for one in bundle.entries()):
            now = datetime.now(UTC)
            usable = [one for one in portion if one.reason is None]
            records = [record for one in portion if one.reason is not None for record in refusals.add(one, now)]
            if records:
                self._quarantine(*records)
            if not self._put(usable, now):
                return None
            received += [ReceivedEntry(number=one.entry.number, sha256=one.entry.sha256) for one in usable]
        if not self._delivery.wait(0, self._stopping):
            return None
        now = datetime.now(UTC)
        if records := refusals.summary(now):
            self._quarantine(*records)
        return Receipt(
            station=station,
            bundle=name,
            received_at=now,
            entries=tuple(received),
            refused=refusals.count,
            problems=refusals.problems,
        )

    def _checked(self, one: EntryRead, manifest: Manifest) -> EntryRead:
        """Return an entry, marked as unusable if its topic is of another site or of another station than the bundle."""
        if one.reason is not None:
            return one
        problem: tuple[Reason, str] | None = None
        try:
            topic = parse_topic(one.entry.topic)
        except ValueError as error:
            problem = ("topic", str(error))
        else:
            if topic.prefix != self._prefix:
                problem = ("topic", f"prefix {topic.prefix!r}; this server's is {self._prefix!r}")
            elif topic.station != manifest.station:
                problem = ("station", f"topic of {topic.station!r} in a bundle of {manifest.station!r}")
        return EntryRead(one.entry, one.payload, *problem) if problem else one

    def _put(self, entries: Sequence[EntryRead], now: datetime) -> bool:
        if not self._delivery.wait(_UNACKNOWLEDGED, self._stopping):
            return False
        messages = [ReceivedMessage(one.entry.topic, one.payload, now) for one in entries]
        self._delivery.put(messages, self._buffer, self._stopping)
        return not self._stopping.is_set()

    def _refuse(self, path: Path, problem: str) -> None:
        now = datetime.now(UTC)
        station = station_in_name(path.name)
        refusals = Refusals(station, path.name)
        self._quarantine(refusals.record("syntax", problem, now, size=path.lstat().st_size))
        receipt = Receipt(station=station, bundle=path.name, received_at=now, entries=(), problems=refusals.problems)
        self._answer(path, receipt)
        path.replace(path.with_name(path.name + REFUSED))

    def _answer(self, path: Path, receipt: Receipt) -> None:
        with durable_file(path.with_name(path.name + RECEIPT_SUFFIX)) as file:
            file.write(encode_document(receipt))
        LOG.info("bundle %s: %d messages received, %d refused", path.name, len(receipt.entries), receipt.refused)
        for problem in receipt.problems:
            LOG.warning("bundle %s: %s", path.name, problem)

    def _note(self, problem: str) -> None:
        """Store the current problem, and log the problem if it differs from the previous one."""
        if problem and problem != self._problem:
            LOG.error("%s", problem)
        self._problem = problem


def _portions(entries: Iterator[EntryRead]) -> Iterator[list[EntryRead]]:
    portion: list[EntryRead] = []
    size = 0
    for one in entries:
        portion.append(one)
        size += len(one.payload)
        if len(portion) >= _PORTION or size >= _PORTION_BYTES:
            yield portion
            portion, size = [], 0
    if portion:
        yield portion
