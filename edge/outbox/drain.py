"""Waiting until every message of an outbox is confirmed."""

import threading
import time

from edge.outbox.outbox import Outbox

LOOK_EVERY_S = 0.2


def wait_until_empty(outbox: Outbox, timeout_s: float, stopping: threading.Event) -> bool:
    """Wait until the outbox is empty; return False after ``timeout_s`` seconds or once ``stopping`` is set."""
    deadline = time.monotonic() + timeout_s
    while len(outbox):
        if time.monotonic() > deadline or stopping.is_set():
            return False
        outbox.wait_for_change(LOOK_EVERY_S)
    return True
