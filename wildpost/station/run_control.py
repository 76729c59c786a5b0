"""Ends the run of a station: for good, or to start anew in the same process."""

import threading


class RunControl:
    """Event that ends a run, and whether another run follows; signal handlers and threads may call it."""

    def __init__(self) -> None:
        """Begin with the first run under way."""
        self.stop = threading.Event()
        self._ended = False

    def end(self) -> None:
        """End the run for good."""
        self._ended = True
        self.stop.set()

    def restart(self) -> None:
        """End the run; another one follows, unless the station ends for good."""
        self.stop.set()

    def next_run(self) -> bool:
        """Return whether another run follows, and prepare for it."""
        self.stop.clear()
        if self._ended:  # also if that happened a moment ago
            self.stop.set()
        return not self._ended
