"""A few processes that draw, started when they are needed and ended when idle, hung or out of bounds."""

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from contract.errors import InvalidInput, TemporaryFailure
from contract.limited_process import LimitedProcess
from ingest.drawing.tasks import Answer, Request
from ingest.drawing.worker import READY

_START_S = 60.0  # to load the libraries, on a busy machine


class CannotDraw(InvalidInput):
    """Raised when a thumbnail or clip cannot be drawn; the message gives the reason. Retrying cannot help."""


class DrawingBusy(TemporaryFailure):
    """Raised when too many callers wait for drawings, or no process can be started; the same call may succeed later."""

    retry_after_s = 5


@dataclass(frozen=True, slots=True)
class DrawingLimits:
    """Limits of one drawing process.

    Attributes:
        memory_bytes: Address space: 300 MB of code and libraries, and at most 300 MB for a drawing.
        cpu_s: Processor time of one drawing; the longest clip takes 3 s, on a slow processor 10 s.
        patience_s: A process that has not answered after this time is killed; the limit of processor time comes first.
        idle_s: An idle process is ended after this time.
    """

    memory_bytes: int = 1 << 30
    cpu_s: int = 20
    patience_s: float = 60.0
    idle_s: float = 60.0


class DrawingProcesses:
    """At most ``processes`` processes that draw; further callers wait."""

    def __init__(self, processes: int = 2, limits: DrawingLimits | None = None) -> None:
        """Set the limits; no process is started yet."""
        self._running = threading.BoundedSemaphore(processes)
        self._limits = limits or DrawingLimits()
        self._lock = threading.Lock()  # guards the two fields below
        self._idle: list[tuple[_Process, threading.Timer]] = []
        self._closed = False

    def draw(self, request: Request) -> bytes:
        """Draw in one of the processes, and return the drawing.

        Raises:
            CannotDraw: the content cannot be decoded, or the process exceeded its limits or died.
            DrawingBusy: no process can be started.
        """
        with self._running, self._process() as process:
            answer = process.ask(request)
        if answer.problem:
            raise CannotDraw(answer.problem)
        return answer.drawing

    def close(self) -> None:
        """End the idle processes; a busy one ends after its drawing."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for process, timer in idle:
            timer.cancel()
            process.end()

    @contextlib.contextmanager
    def _process(self) -> Iterator["_Process"]:
        with self._lock:
            process, timer = self._idle.pop() if self._idle else (None, None)
        if timer:
            timer.cancel()
        if process is None or not process.alive:
            if process:
                process.end()
            process = _Process(self._limits)
        try:
            process.await_ready()
            yield process
        except BaseException:
            process.kill()
            raise
        self._put_back(process)

    def _put_back(self, process: "_Process") -> None:
        timer = threading.Timer(self._limits.idle_s, self._end_idle, (process,))
        timer.daemon = True
        with self._lock:
            closed = self._closed
            if not closed:
                self._idle.append((process, timer))
                timer.start()
        if closed:
            process.end()

    def _end_idle(self, process: "_Process") -> None:
        with self._lock:
            entry = next((one for one in self._idle if one[0] is process), None)
            if entry is None:
                return
            self._idle.remove(entry)
        process.end()


class _Process:
    """One drawing process; one caller at a time uses it."""

    def __init__(self, limits: DrawingLimits) -> None:
        self._limits = limits
        try:
            self._process = LimitedProcess("ingest.drawing.worker", limits.memory_bytes, limits.cpu_s)
        except OSError as error:
            raise DrawingBusy(f"no process that draws can be started: {error}") from error
        self._ready = False

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process.alive

    def await_ready(self) -> None:
        """Wait until the process has loaded its libraries.

        Raises:
            DrawingBusy: it ended before, for want of memory for instance.
        """
        if self._ready:
            return
        with self._process.killed_when_late(_START_S):
            ready = self._process.receive() == READY
        if not ready:
            raise DrawingBusy(f"a process that draws did not start (exit status {self._process.wait()})")
        self._ready = True

    def ask(self, request: Request) -> Answer:
        """Send a request and return the answer.

        Raises:
            CannotDraw: the process died, or was killed because it did not answer in time.
        """
        with self._process.killed_when_late(self._limits.patience_s) as late:
            self._process.send(msgspec.msgpack.encode(request))
            answer = self._process.receive()
        if answer is None:
            late_s = self._limits.patience_s if late.is_set() else None
            raise CannotDraw(self._process.cause_of_death(late_s, "drawing", "draws"))
        return msgspec.msgpack.decode(answer, type=Answer)

    def end(self) -> None:
        """Close the input, at which the process ends, and wait for that."""
        self._process.close()
        self._process.wait(5)

    def kill(self) -> None:
        """End the process at once."""
        self._process.kill()
        self._process.close()
