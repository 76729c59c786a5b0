"""Fault injection for benchmarks: processes to kill, connections to cut and a disk to fill."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil

DISK_MB = 600


class Proxy:
    """TCP proxy in front of the broker; it can cut its connections to simulate a network failure."""

    def __init__(self, to: int) -> None:
        self._to = to
        self._open: set[socket.socket] = set()
        self._cut = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self, seconds: float) -> None:
        """Close all connections and refuse new ones for a time."""
        self._cut.set()
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        time.sleep(seconds)
        self._cut.clear()

    def close(self) -> None:
        """Close the listener and all connections."""
        self._listener.close()
        self.cut(0)

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:  # closed
                return
            if self._cut.is_set():
                near.close()
                continue
            try:
                far = socket.create_connection(("127.0.0.1", self._to), timeout=5)
            except OSError:  # the broker is not running
                near.close()
                continue
            far.settimeout(None)
            self._open |= {near, far}
            for pair in ((near, far), (far, near)):
                threading.Thread(target=self._carry, args=pair, daemon=True).start()

    def _carry(self, source: socket.socket, to: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                to.sendall(data)
        for one in (source, to):
            self._open.discard(one)
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)  # close() alone does not wake the other thread, which is reading
            with contextlib.suppress(OSError):
                one.close()


class Process:
    """A program in its own process group, which can be killed and restarted."""

    def __init__(self, command: list[str], log: Path) -> None:
        self._command = command
        self._log = log
        self.start()

    def start(self) -> None:
        """Start or restart the program."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log, start_new_session=True)

    def kill(self) -> None:
        """Send SIGKILL to the process group."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def stop(self) -> None:
        """Send SIGTERM and wait until the program has ended; after 90 s, kill the process group."""
        self._process.terminate()
        try:
            self._process.wait(90)
        except subprocess.TimeoutExpired:
            self.kill()

    @property
    def ended(self) -> int | None:
        """Exit code; None while the program runs."""
        return self._process.poll()


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[bool]:
    """Mount a small tmpfs on a folder; yield False if the user has no permission to mount."""
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    try:
        yield mounted.returncode == 0
    finally:
        if mounted.returncode == 0:
            subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path, seconds: float) -> None:
    """Fill the disk of a folder completely, and free the space after ``seconds``."""
    filling = folder / "filling"
    with contextlib.suppress(OSError), filling.open("wb", buffering=0) as file:
        for size in (1_000_000, 4096):
            with contextlib.suppress(OSError):
                while True:
                    file.write(b"0" * size)
    time.sleep(seconds)
    filling.unlink(missing_ok=True)


def metric_total(port: int, name: str) -> float:
    """Return the sum of a metric of the server over its labels; 0 while the server does not answer."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=2) as answer:
            lines = answer.read().decode().splitlines()
    except OSError:
        return 0.0
    return sum(float(line.split()[-1]) for line in lines if line.startswith((f"{name} ", f"{name}{{")))


def process_on(port: int) -> psutil.Process:
    """Return the process that listens on a TCP port of this machine.

    Raises:
        LookupError: none does.
    """
    for connection in psutil.net_connections("tcp4"):
        at, pid = connection.laddr, connection.pid
        if connection.status == psutil.CONN_LISTEN and at and at[1] == port and pid is not None:
            return psutil.Process(pid)
    raise LookupError(f"no process listens on port {port}")


def memory_mb(process: psutil.Process) -> float:
    """Return the proportional set size (PSS) of a process and its children in MB: shared pages are counted once."""
    total = 0
    for one in (process, *process.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            total += one.memory_full_info().pss
    return total / 1e6


def mosquitto_program() -> str:
    """Return the path of mosquitto, also from /usr/sbin, where Debian installs it.

    Raises:
        FileNotFoundError: it is not installed.
    """
    program = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if program is None:
        raise FileNotFoundError("mosquitto is not installed (Debian: apt-get install mosquitto)")
    return program


def wait_connected(port: int, log: Path) -> None:
    """Wait until the server is connected to the broker."""
    until = time.monotonic() + 120
    while not metric_total(port, "wildpost_connected"):
        assert time.monotonic() < until, log.read_text()
        time.sleep(0.1)
