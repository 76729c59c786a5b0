"""The side door of a running server: `wildpost backup` asks here for a copy of the file that the server alone may open.

A socket in the data folder, so that whoever may read the data may ask, and nobody else.
"""

import contextlib
import os
import shutil
import socket
import socketserver
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from io import BufferedReader
from pathlib import Path

import msgspec

from contract.errors import StoreUnavailable
from ingest.store.duckdb.snapshot import DuckDbSnapshot
from ingest.store.duckdb.store import DuckDbStore

DOOR = "backup.socket"
STAGING = ".backup-"  # how the names of half-made copies begin
_HELD_S = 5.0  # no longer does the intake wait for whoever asked
_PATIENCE_S = 90.0


class SnapshotReply(msgspec.Struct, frozen=True, omit_defaults=True):
    """What either side says, as one line of JSON.

    Attributes:
        say: "held": the moment is fixed; "go on": so is the casebook's; "copied".
        path: Of the copy.
        rows: In each of its tables.
        problem: Why there will be none.
    """

    say: str = ""
    path: str = ""
    rows: dict[str, int] = {}
    problem: str = ""


class _Listener(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = False

    def handle_error(self, request: object, client_address: object) -> None:
        """Let threading's own hook tell: an error here is a fault of ours."""
        raise


class _SnapshotServer:
    """Makes copies, one at a time."""

    def __init__(self, folder: Path, store: DuckDbStore, still: Callable[[], AbstractContextManager[None]]) -> None:
        self._folder = folder
        self._store = store
        self._still = still
        self._one = threading.Lock()
        self._moment: DuckDbSnapshot | None = None
        self._link: socket.socket | None = None

    def serve(self, link: socket.socket) -> None:
        """Answer one who asks; it hangs up when it has read the copy."""
        with link.makefile("rb") as lines:
            if not self._one.acquire(blocking=False):
                _say(link, SnapshotReply(problem="another backup of this server is under way"))
                return
            staging = None
            try:
                staging = _staging_in(self._folder)
                self._link = link
                self._copy(link, lines, staging / "detections.duckdb")
            except StoreUnavailable as error:
                with contextlib.suppress(OSError):
                    _say(link, SnapshotReply(problem=str(error)))
            except OSError:
                pass  # whoever asked is gone, or took too long: it is told nothing, and nothing is kept for it
            finally:
                self._link = self._moment = None
                if staging is not None:
                    shutil.rmtree(staging)
                self._one.release()

    def close(self) -> None:
        """Break off what is under way."""
        if (moment := self._moment) is not None:
            moment.interrupt()
        if (link := self._link) is not None:
            with contextlib.suppress(OSError):
                link.shutdown(socket.SHUT_RDWR)

    def _copy(self, link: socket.socket, lines: BufferedReader, path: Path) -> None:
        with contextlib.ExitStack() as stack:
            with self._still():
                moment = self._moment = self._store.snapshot(path)
                stack.callback(moment.close)
                link.settimeout(_HELD_S)
                _say(link, SnapshotReply(say="held"))
                if _hear(lines).say != "go on":
                    return
            link.settimeout(None)
            rows = moment.write()
        _say(link, SnapshotReply(say="copied", path=str(path), rows=rows))
        lines.read(1)  # nothing comes but the end


@contextmanager
def serve_snapshots(
    folder: Path, store: DuckDbStore, still: Callable[[], AbstractContextManager[None]]
) -> Iterator[None]:
    """Answer those who want a copy of the detections.

    Args:
        folder: The data folder.
        store: The detections.
        still: Holds the intake between two batches.
    """
    door = _SnapshotServer(folder, store, still)

    class Asked(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            door.serve(self.request)

    place = folder / DOOR
    place.unlink(missing_ok=True)  # of a server that was killed: the database is ours alone, so the door is too
    with _reachable(place) as address:
        listener = _Listener(address, Asked, bind_and_activate=False)
        listener.server_bind()
        Path(address).chmod(0o600)
        listener.server_activate()
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.2}, name="backup door")
    thread.start()
    try:
        yield
    finally:
        listener.shutdown()
        thread.join()
        door.close()
        listener.server_close()
        place.unlink(missing_ok=True)


class RemoteSnapshot:
    """A copy that the running server makes for us."""

    def __init__(self, folder: Path) -> None:
        """Ask for it.

        Raises:
            ConnectionError, FileNotFoundError: no server runs here.
        """
        self._link = socket.socket(socket.AF_UNIX)
        self._link.settimeout(_PATIENCE_S)
        try:
            with _reachable(folder / DOOR) as address:
                self._link.connect(address)
        except OSError:
            self._link.close()
            raise
        self._lines = self._link.makefile("rb")

    def hold(self) -> None:
        """Wait until the moment is fixed; the intake waits for ``write``.

        Raises:
            StoreUnavailable: it will not be.
        """
        self._expect("held")

    def write(self) -> tuple[Path, dict[str, int]]:
        """Have it copied; returns the file, which stays until ``close``, and its rows by table.

        Raises:
            StoreUnavailable: there is none.
        """
        try:
            _say(self._link, SnapshotReply(say="go on"))
        except OSError as error:
            raise StoreUnavailable(f"the server hung up before it copied its detections: {error}") from error
        self._link.settimeout(None)  # as long as it takes; if the server dies, the link ends
        word = self._expect("copied")
        return Path(word.path), word.rows

    def close(self) -> None:
        """Let the server remove its copy."""
        self._lines.close()
        self._link.close()

    def _expect(self, say: str) -> SnapshotReply:
        try:
            word = _hear(self._lines)
        except OSError as error:
            raise StoreUnavailable(
                f"the server did not copy its detections: {error or type(error).__name__}"
            ) from error
        if word.problem or word.say != say:
            raise StoreUnavailable(f"the server did not copy its detections: {word.problem or word}")
        return word


def _staging_in(folder: Path) -> Path:
    try:
        return Path(tempfile.mkdtemp(prefix=STAGING, dir=folder))
    except OSError as error:
        raise StoreUnavailable(str(error)) from error


def _say(link: socket.socket, word: SnapshotReply) -> None:
    link.sendall(msgspec.json.encode(word) + b"\n")


def _hear(lines: BufferedReader) -> SnapshotReply:
    line = lines.readline()
    if not line.endswith(b"\n"):
        raise ConnectionError("the other side is gone")
    return msgspec.json.decode(line, type=SnapshotReply)


@contextmanager
def _reachable(place: Path) -> Iterator[str]:
    """Write a socket's address so that it fits: the system takes 107 bytes, and folders may be longer."""
    handle = os.open(place.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{handle}/{place.name}"
    finally:
        os.close(handle)
