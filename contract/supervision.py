"""Supervision of threads: an exception that escapes is logged and counted, and the thread continues after a pause."""

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping

from contract.errors import TemporaryFailure
from contract.redaction import Redaction

_STEADY_S = 10.0  # a step that has run for this long after a failure counts as recovered
_TEXT_CHARACTERS = 200


def describe_exception(error: BaseException) -> str:
    """Return the name and the text of an exception on one line, shortened and without credentials."""
    text = Redaction()(" ".join(str(error).split()))
    short = text if len(text) <= _TEXT_CHARACTERS else f"{text[:_TEXT_CHARACTERS]}..."
    return f"{type(error).__name__}: {short}" if short else type(error).__name__


class Part:
    """A supervised part of a process, such as a thread: its number of restarts, and whether it is down."""

    def __init__(self, name: str, first_pause_s: float, longest_pause_s: float, log: logging.Logger) -> None:
        """Create a part that runs; see ``Supervisor.part``."""
        self.name = name
        self.restarts = 0
        self._first_pause_s, self._longest_pause_s = first_pause_s, longest_pause_s
        self._log = log
        self._lock = threading.Lock()
        self._failures = 0  # consecutive
        self._failure = ""
        self._failed_at = 0.0
        self._resumed_at: float | None = None

    @property
    def down_s(self) -> float:
        """Seconds since the first of the part's consecutive failures; 0 while the part runs."""
        with self._lock:
            self._recover_if_steady()
            return time.monotonic() - self._failed_at if self._failure else 0.0

    @property
    def problem(self) -> str:
        """Description of the failure while the part is down; "" while it runs."""
        with self._lock:
            self._recover_if_steady()
            return f"{self.name} failed and continues after a pause: {self._failure}" if self._failure else ""

    def failed(self, error: BaseException) -> float:
        """Record an exception that escaped, and return the seconds to wait before the restart.

        The log has the exception once, not again while the same failure repeats.
        """
        return self._fail(describe_exception(error), error)

    def ended(self, reason: str) -> float:
        """Record that a part ended, such as a process, and return the seconds to wait before the restart."""
        return self._fail(reason, None)

    def _fail(self, text: str, error: BaseException | None) -> float:
        with self._lock:
            self._recover_if_steady()
            new = text != self._failure
            if not self._failure:
                self._failed_at = time.monotonic()
            self._failure, self._resumed_at = text, None
            self.restarts += 1
            pause_s = self._next_pause_s()
        if new:
            self._log.error("%s failed: %s; restart in %.1f s", self.name, text, pause_s, exc_info=error)
        return pause_s

    def hindered(self) -> float:
        """Record an expected temporary failure, and return the seconds to wait before the next attempt."""
        with self._lock:
            return self._next_pause_s()

    def _next_pause_s(self) -> float:
        pause_s = min(self._first_pause_s * 2.0 ** min(self._failures, 30), self._longest_pause_s)
        self._failures += 1
        return pause_s

    def resumed(self) -> None:
        """Record that the part runs again; it counts as recovered after some seconds without a failure."""
        with self._lock:
            self._resumed_at = time.monotonic()

    def succeeded(self) -> None:
        """Record that the part did its work without a failure."""
        if not self._failures:
            return
        with self._lock:
            was_down = bool(self._failure)
            self._recover()
        if was_down:
            self._log.info("%s works again", self.name)

    def _recover_if_steady(self) -> None:
        if self._failure and self._resumed_at is not None and time.monotonic() - self._resumed_at > _STEADY_S:
            self._recover()

    def _recover(self) -> None:
        self._failure, self._failures, self._resumed_at = "", 0, None

    @contextlib.contextmanager
    def guarded(self) -> Iterator[None]:
        """Record an exception of the ``with`` block as a failure, and do not propagate it.

        It is for callbacks, in which an exception would end the thread of a library.
        """
        try:
            yield
        except Exception as error:  # noqa: BLE001, ``failed`` logs it
            self.failed(error)
            self.resumed()


class Supervisor:
    """Register of the supervised parts of one process, for /healthz and the metrics."""

    def __init__(self, first_pause_s: float = 0.5, longest_pause_s: float = 60.0) -> None:
        """Create an empty register.

        Args:
            first_pause_s: Pause before the first restart of a part in seconds; doubled after each further failure.
            longest_pause_s: Longest pause in seconds.
        """
        self._first_pause_s, self._longest_pause_s = first_pause_s, longest_pause_s
        self._log = logging.getLogger("wildpost.supervision")
        self._parts: dict[str, Part] = {}
        self._lock = threading.Lock()

    def part(self, name: str, pauses_s: tuple[float, float] | None = None) -> Part:
        """Return the part with a name, which is created at the first call.

        Args:
            name: Name of the part.
            pauses_s: First and longest pause in seconds, if they differ from the supervisor's.
        """
        with self._lock:
            if name not in self._parts:
                first_s, longest_s = pauses_s or (self._first_pause_s, self._longest_pause_s)
                self._parts[name] = Part(name, first_s, longest_s, self._log)
            return self._parts[name]

    @property
    def parts(self) -> tuple[Part, ...]:
        """All parts, in the order in which they were created."""
        with self._lock:
            return tuple(self._parts.values())

    @property
    def problem(self) -> str:
        """Descriptions of the parts that are down, as text; "" if all run."""
        return "; ".join(filter(None, (part.problem for part in self.parts)))

    @property
    def restarts(self) -> Mapping[str, int]:
        """Number of restarts of each part, by name."""
        return {part.name: part.restarts for part in self.parts}

    def stuck(self, after_s: float) -> str:
        """Return descriptions of the parts that have been down for longer than ``after_s`` seconds; "" for none."""
        return "; ".join(
            f"{part.problem}, for more than {after_s:.0f} s" for part in self.parts if part.down_s > after_s
        )


class SupervisedThread:
    """Thread that calls one step again and again; an exception that escapes from a step does not end the thread.

    After an exception, the step is called again after a pause, which is doubled by each further failure.
    """

    def __init__(
        self,
        name: str,
        step: Callable[[], float | None],
        supervisor: Supervisor | None = None,
        stopping: threading.Event | None = None,
        daemon: bool = False,
        pauses_s: tuple[float, float] | None = None,
    ) -> None:
        """Create the thread without starting it; see ``start``.

        Args:
            name: Name of the thread in the log, in /healthz and in the metrics.
            step: Does one piece of work, and returns the seconds until the next; None ends the thread. It may raise
                ``TemporaryFailure``, after which it is called again like after other exceptions, without a log entry.
            supervisor: Register of the failures; None: of this thread alone.
            stopping: Ends the thread after the current step when set; None: an event of its own.
            daemon: Whether the process may end while the thread runs.
            pauses_s: First and longest pause after failures in seconds; None: the supervisor's.
        """
        self.part = (supervisor or Supervisor()).part(name, pauses_s)
        self._step = step
        self._stopping = stopping or threading.Event()
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=daemon)

    @property
    def stopping(self) -> threading.Event:
        """Event that ends the thread after the current step when set."""
        return self._stopping

    @property
    def started(self) -> bool:
        """Whether ``start`` was called."""
        return self._thread.ident is not None

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def wake(self) -> None:
        """Make the thread do its next step now; the pause after a failure is not shortened."""
        self._wake.set()

    def stop(self) -> None:
        """End the thread after the current step and wait for its end; harmless if it was never started."""
        self._stopping.set()
        self._wake.set()
        self.join()

    def join(self, timeout_s: float | None = None) -> None:
        """Wait for the end of the thread, for at most ``timeout_s`` seconds; in the thread itself, do not wait."""
        if self.started and threading.current_thread() is not self._thread:
            self._thread.join(timeout_s)

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._wake.clear()
            if self._stopping.is_set():  # after clear(), which may have cleared the wake of stop()
                return
            try:
                wait_s = self._step()
            except TemporaryFailure:
                self._stopping.wait(self.part.hindered())
                continue
            except BaseException as error:  # noqa: BLE001, ``failed`` logs it
                self._stopping.wait(self.part.failed(error))
                self.part.resumed()
                continue
            self.part.succeeded()
            if wait_s is None:
                return
            if wait_s > 0:
                self._wake.wait(wait_s)
