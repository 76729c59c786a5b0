"""Delivery of the batches to the server, beside the examination of further files."""

import contextlib
import shutil
import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Self

from contract.bundle.documents import Receipt
from contract.errors import InvalidInput, TemporaryFailure

Deliver = Callable[[Sequence[Path]], Iterable[Receipt]]  # takes in all bundles in folders, and yields their receipts

_RETRY_S = 10.0
_PATIENCE_S = 60.0  # with an attempt that waits for a server
_ATTEMPTS = 3  # at the end, when nothing else is left to do


class Delivery:
    """Thread that hands batches to the server; a batch stays on disk until the server's receipt lists its messages."""

    def __init__(self, deliver: Deliver, waiting: Iterable[Path]) -> None:
        """Set the function that delivers, and the batches that an earlier import left."""
        self._deliver = deliver
        self._waiting = list(waiting)
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="card-delivery", daemon=True)
        self._refused: list[Path] = []
        self._failure = ""
        self._abandoned = False
        self.messages = 0  # that the server has stored
        self.problems: list[str] = []

    @property
    def undelivered(self) -> int:
        """Number of batches that are still on disk."""
        with self._lock:
            return len(self._waiting) + len(self._refused)

    @property
    def failure(self) -> str:
        """Why the last attempt failed; "" if it did not."""
        return self._failure

    def __enter__(self) -> Self:
        """Start the thread."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End the thread after its current attempt, unless that takes long; what is not delivered stays on disk."""
        self._abandoned = True
        self._ending.set()
        self._wake.set()
        self._thread.join(_PATIENCE_S)

    def add(self, folder: Path) -> None:
        """Hand over a batch that is durable."""
        with self._lock:
            self._waiting.append(folder)
        self._wake.set()

    def finish(self) -> None:
        """Wait until all batches are delivered, or several attempts have failed."""
        self._ending.set()
        self._wake.set()
        self._thread.join()

    def _run(self) -> None:
        failures = 0
        while True:
            self._wake.clear()  # first: what changes after it wakes the thread again
            ending = self._ending.is_set()
            with self._lock:
                folders = list(self._waiting)
            if folders:
                failures = 0 if self._attempt(folders) else failures + 1
            with self._lock:
                done = not self._waiting
            if self._abandoned or (ending and (done or failures >= _ATTEMPTS)):
                return
            if failures or done:
                self._wake.wait(_RETRY_S)

    def _attempt(self, folders: Sequence[Path]) -> bool:
        try:
            refused: set[str] = set()
            for receipt in self._deliver(folders):
                self.messages += len(receipt.entries)
                if receipt.refused or receipt.problems:
                    refused.add(receipt.bundle)
                    self.problems += receipt.problems
        except (TemporaryFailure, InvalidInput, OSError) as error:
            self._failure = str(error)
            return False
        self._failure = ""
        for folder in folders:
            is_refused = any((folder / name).exists() for name in refused)
            if not is_refused:
                with contextlib.suppress(FileNotFoundError):
                    shutil.rmtree(folder)
            with self._lock:
                self._waiting.remove(folder)
                if is_refused:
                    self._refused.append(folder)
        return True
