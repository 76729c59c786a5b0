"""Waits for what other threads and processes bring about."""

import time
from collections.abc import Callable

PATIENCE_S = 60  # a busy machine is slow; a condition that holds ends the wait at once


def eventually(condition: Callable[[], object], what: str = "the condition", timeout_s: float = PATIENCE_S) -> None:
    """Wait until a condition holds; fail with ``what`` was awaited if it does not within ``timeout_s``."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"waited {timeout_s:g} s for: {what}"
        time.sleep(0.01)
