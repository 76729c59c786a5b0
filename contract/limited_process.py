"""Processes of limited memory and processor time for native decoders, which may crash or hang on hostile content.

The first half is for the process that starts one, the second half for the started process itself. Messages on the
pipes between them have their length before them.
"""

import contextlib
import os
import resource
import signal
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from typing import IO, BinaryIO

_KEPT_VARIABLES = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PYTHONHOME", "TMPDIR")  # and no secret
_OPEN_FILES = 64
_LENGTH = struct.Struct(">I")
_MAX_MESSAGE_BYTES = 64_000_000


def start_limited_process(
    module: str, arguments: Sequence[str], descriptors: Sequence[int] = ()
) -> "subprocess.Popen[bytes]":
    """Start a Python module as a process with pipes and without the secrets in this process's environment.

    Args:
        module: Module to run; it calls ``limit_process`` before it decodes anything.
        arguments: Its arguments.
        descriptors: Open files that it inherits under the same numbers.

    Raises:
        OSError: the process cannot be started.
    """
    environment = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    # -P: a folder in which this process happens to be started adds no module; its own modules come by PYTHONPATH.
    environment |= {
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "PYTHONDONTWRITEBYTECODE": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
    }
    return subprocess.Popen(
        [sys.executable, "-P", "-m", module, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
        pass_fds=descriptors,
        start_new_session=True,  # Ctrl-C in this process's terminal is for this process
    )


class LimitedProcess:
    """A process of limited memory and processor time that answers messages; one thread at a time uses it."""

    def __init__(self, module: str, memory_bytes: int, cpu_s: int, descriptors: Sequence[int] = ()) -> None:
        """Start a Python module with the two limits as its arguments; further arguments as ``start_limited_process``.

        Raises:
            OSError: the process cannot be started.
        """
        self._process = start_limited_process(module, (str(memory_bytes), str(cpu_s)), descriptors)
        self._cpu_s = cpu_s

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process.poll() is None

    def send(self, message: bytes) -> None:
        """Send a message; if the process has ended, ``receive`` returns None."""
        requests, _ = self._streams()
        with contextlib.suppress(BrokenPipeError):
            write_message(requests, message)

    def receive(self) -> bytes | None:
        """Return the next message of the process; None if it has ended, or writes what cannot be a message."""
        _, answers = self._streams()
        return read_message(answers)

    @contextlib.contextmanager
    def killed_when_late(self, patience_s: float) -> Iterator[threading.Event]:
        """Kill the process if the ``with`` block takes longer than ``patience_s``; the event says whether it was."""
        late = threading.Event()

        def kill() -> None:
            late.set()
            self._process.kill()

        timer = threading.Timer(patience_s, kill)
        timer.daemon = True
        timer.start()
        try:
            yield late
        finally:
            timer.cancel()

    def wait(self, timeout_s: float | None = None) -> int:
        """Wait for the end of the process, and return its exit status; kill it after ``timeout_s`` seconds."""
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return self.kill()

    def kill(self) -> int:
        """End the process at once, and return its exit status, which is its own if it had ended before."""
        self._process.kill()
        return self._process.wait()

    def close(self) -> None:
        """Close the pipes; a process that waits for a message ends."""
        for stream in self._streams():
            with contextlib.suppress(OSError):
                stream.close()

    def cause_of_death(self, late_s: float | None, work: str, does: str) -> str:
        """Return why the process ended without an answer, and kill it if it still runs.

        Args:
            late_s: Time after which it was killed, in seconds; None: it was not.
            work: What it does with a request, such as "decoding".
            does: The same as a verb, such as "decodes".
        """
        code = self.kill()
        if late_s is not None:
            return f"{work} it took more than {late_s:g} s"
        if code in (-signal.SIGXCPU, -signal.SIGKILL):
            return f"{work} it took more than {self._cpu_s} s of processor time, or the system ended it"
        return f"{work} it ended the process that {does} (exit status {code})"

    def _streams(self) -> tuple[IO[bytes], IO[bytes]]:
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("a process without pipes")
        return self._process.stdin, self._process.stdout


def read_message(stream: IO[bytes]) -> bytes | None:
    """Return the next message of a stream; None if the stream ends before it does, or if it is too long to be one."""
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    (size,) = _LENGTH.unpack(head)
    message = stream.read(size) if size <= _MAX_MESSAGE_BYTES else b""
    return message if len(message) == size else None


def write_message(stream: IO[bytes], message: bytes) -> None:
    """Write a message to a stream."""
    stream.write(_LENGTH.pack(len(message)) + message)
    stream.flush()


def take_over_streams() -> tuple[BinaryIO, BinaryIO]:
    """Return input and output as streams of the caller's own: a library that prints must not break the answers."""
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1):
        os.dup2(nothing, stream)
    os.close(nothing)
    return requests, answers


def describe_failure(work: str, error: Exception) -> str:
    """Return why a request failed in this process, for the answer; ``work`` is what was done, such as "decoding"."""
    if isinstance(error, MemoryError):
        return f"{work} it needs more memory than allowed"
    return f"{work} it failed: {type(error).__name__}: {error}"[:500]


def limit_process(memory_bytes: int) -> None:
    """Limit the memory of this process, and allow it neither to write files nor to start programs or threads."""
    _limit(resource.RLIMIT_AS, memory_bytes)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_FSIZE, 0)
    _limit(resource.RLIMIT_NOFILE, _OPEN_FILES)
    _limit(resource.RLIMIT_NPROC, 0)


def limit_next_work(cpu_s: int) -> None:
    """Limit the processor time from now on: the system ends this process when it has used ``cpu_s`` seconds more."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    allowed = int(used.ru_utime + used.ru_stime) + 1 + cpu_s
    resource.setrlimit(resource.RLIMIT_CPU, (allowed if hard == resource.RLIM_INFINITY else min(allowed, hard), hard))


def _limit(kind: int, value: int) -> None:
    _, hard = resource.getrlimit(kind)
    allowed = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (allowed, allowed))
