"""Copies the DuckDB file of a running server for `wildpost backup`, which cannot open the locked file itself.

The server listens on a Unix socket in the data folder, so only users with access to the data can request a copy.
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
from contract.supervision import SupervisedThread, Supervisor
from ingest.store.duckdb.snapshot import DuckDbSnapshot
from ingest.store.duckdb.store import DuckDbStore

SOCKET = "backup.socket"
STAGING = ".backup-"  # prefix of the folders of unfinished copies
_HOLD_TIMEOUT_S = 5.0  # longest pause of ingest while the client takes the casebook's snapshot
_CLIENT_TIMEOUT_S = 90.0


class SnapshotMessage(msgspec.Struct, frozen=True, omit_defaults=True):
    """Message between `wildpost backup` and the running server, encoded as one line of JSON.

    Attributes:
        status: "held": the server has taken its snapshot; "go on": the client has taken the casebook's; "copied": the
            copy is complete.
        path: Path of the copy.
        rows: Number of rows in each of its tables.
        problem: Why the copy failed.
    """

    status: str = msgspec.field(default="", name="say")
    path: str = ""
    rows: dict[str, int] = {}
    problem: str = ""


class _Listener(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = False

    def handle_error(self, request: object, client_address: object) -> None:
        """Raise the current exception again, so that ``threading.excepthook`` reports it.

        An exception in the handler of a connection is a programming error.
        """
        raise


class _SnapshotServer:
    """Copies the detection database for one backup client at a time."""

    def __init__(
        self, folder: Path, store: DuckDbStore, pause_ingest: Callable[[], AbstractContextManager[None]]
    ) -> None:
        self._folder = folder
        self._store = store
        self._pause_ingest = pause_ingest
        self._busy = threading.Lock()
        self._snapshot: DuckDbSnapshot | None = None
        self._connection: socket.socket | None = None

    def serve(self, connection: socket.socket) -> None:
        """Copy the detection database for one backup client.

        The client closes the connection when it has read the copy.
        """
        with connection.makefile("rb") as lines:
            if not self._busy.acquire(blocking=False):
                _send(connection, SnapshotMessage(problem="another backup of this server is running"))
                return
            staging = None
            try:
                staging = _create_staging(self._folder)
                self._connection = connection
                self._copy(connection, lines, staging / "detections.duckdb")
            except StoreUnavailable as error:
                with contextlib.suppress(OSError):
                    _send(connection, SnapshotMessage(problem=str(error)))
            except OSError:
                pass  # the client has disconnected or timed out; its copy is deleted
            finally:
                self._connection = self._snapshot = None
                if staging is not None:
                    shutil.rmtree(staging)
                self._busy.release()

    def close(self) -> None:
        """Abort the copying of the detection database, if it is in progress."""
        if (snapshot := self._snapshot) is not None:
            snapshot.interrupt()
        if (connection := self._connection) is not None:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _copy(self, connection: socket.socket, lines: BufferedReader, path: Path) -> None:
        with contextlib.ExitStack() as stack:
            with self._pause_ingest():
                snapshot = self._snapshot = self._store.snapshot(path)
                stack.callback(snapshot.close)
                connection.settimeout(_HOLD_TIMEOUT_S)
                _send(connection, SnapshotMessage(status="held"))
                if _receive(lines).status != "go on":
                    return
            connection.settimeout(None)
            rows = snapshot.write()
        _send(connection, SnapshotMessage(status="copied", path=str(path), rows=rows))
        lines.read(1)  # returns when the client closes the connection


@contextmanager
def serve_snapshots(
    folder: Path,
    store: DuckDbStore,
    pause_ingest: Callable[[], AbstractContextManager[None]],
    supervisor: Supervisor | None = None,
) -> Iterator[None]:
    """Serve copies of the detection database on a Unix socket in the data folder until the context ends.

    Args:
        folder: The data folder.
        store: The detections.
        pause_ingest: Context manager that pauses ingest between two batches.
        supervisor: Register of the thread's failures.
    """
    server = _SnapshotServer(folder, store, pause_ingest)

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            server.serve(self.request)

    place = folder / SOCKET
    place.unlink(missing_ok=True)  # left by a killed server; this process holds the database's lock
    with _short_address(place) as address:
        listener = _Listener(address, Handler, bind_and_activate=False)
        listener.server_bind()
        Path(address).chmod(0o600)
        listener.server_activate()
    thread = SupervisedThread("snapshot-server", lambda: listener.serve_forever(0.2), supervisor)
    thread.start()
    try:
        yield
    finally:
        thread.stopping.set()
        listener.shutdown()
        thread.stop()
        server.close()
        listener.server_close()
        place.unlink(missing_ok=True)


class RemoteSnapshot:
    """Copy of the detection database, made by the running server."""

    def __init__(self, folder: Path) -> None:
        """Connect to the running server and request a copy of its detection database.

        Raises:
            ConnectionError, FileNotFoundError: no server runs in this data folder.
        """
        self._connection = socket.socket(socket.AF_UNIX)
        self._connection.settimeout(_CLIENT_TIMEOUT_S)
        try:
            with _short_address(folder / SOCKET) as address:
                self._connection.connect(address)
        except OSError:
            self._connection.close()
            raise
        self._lines = self._connection.makefile("rb")

    def hold(self) -> None:
        """Wait until the server has paused ingest and opened a database snapshot.

        The server resumes ingest when ``write`` is called.

        Raises:
            StoreUnavailable: the server cannot take the snapshot.
        """
        self._expect("held")

    def write(self) -> tuple[Path, dict[str, int]]:
        """Make the server write its snapshot to a file, and wait until the file is complete.

        Returns:
            The file, which exists until ``close``, and its number of rows by table.

        Raises:
            StoreUnavailable: the server could not write it.
        """
        try:
            _send(self._connection, SnapshotMessage(status="go on"))
        except OSError as error:
            raise StoreUnavailable(f"the server disconnected before it copied its detections: {error}") from error
        self._connection.settimeout(None)  # no time limit; if the server dies, the connection ends
        message = self._expect("copied")
        return Path(message.path), message.rows

    def close(self) -> None:
        """Close the connection to the server; the server then deletes the copy."""
        self._lines.close()
        self._connection.close()

    def _expect(self, status: str) -> SnapshotMessage:
        try:
            message = _receive(self._lines)
        except OSError as error:
            raise StoreUnavailable(
                f"the server did not copy its detections: {error or type(error).__name__}"
            ) from error
        if message.problem or message.status != status:
            raise StoreUnavailable(f"the server did not copy its detections: {message.problem or message}")
        return message


def _create_staging(folder: Path) -> Path:
    try:
        return Path(tempfile.mkdtemp(prefix=STAGING, dir=folder))
    except OSError as error:
        raise StoreUnavailable(str(error)) from error


def _send(connection: socket.socket, message: SnapshotMessage) -> None:
    connection.sendall(msgspec.json.encode(message) + b"\n")


def _receive(lines: BufferedReader) -> SnapshotMessage:
    line = lines.readline()
    if not line.endswith(b"\n"):
        raise ConnectionError("the other side closed the connection")
    return msgspec.json.decode(line, type=SnapshotMessage)


@contextmanager
def _short_address(place: Path) -> Iterator[str]:
    """Yield an alias of a socket path that is short enough for the 107-byte limit of Unix socket addresses."""
    handle = os.open(place.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{handle}/{place.name}"
    finally:
        os.close(handle)
