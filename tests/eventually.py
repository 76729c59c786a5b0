"""Waits for what other threads bring about."""

import time
from collections.abc import Callable


def eventually(condition: Callable[[], object]) -> None:
    """Wait until it holds; fail after ten seconds."""
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)
