"""Topics on which a broker takes nothing now: each is tried again with one message, ever more slowly."""

import math
import time
from collections.abc import Callable

_PROBING = math.inf  # a topic is left alone until its one message is answered
_FIRST_PAUSE_S = 1.0


class TopicBackoff:
    """Holds back what would be refused, so that it keeps no place that another message could have."""

    def __init__(self, longest_pause_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Set the longest pause between two attempts; the first is two seconds, each next twice as long."""
        self._longest_pause_s = longest_pause_s
        self._clock = clock
        self._held: dict[str, tuple[float, float]] = {}  # topic: until when it is left alone, and the pause

    @property
    def topics(self) -> list[str]:
        """All that are held."""
        return sorted(self._held)

    def resting(self) -> list[str]:
        """Name those that are not to be tried now."""
        now = self._clock()
        return [topic for topic, (until, _) in self._held.items() if now < until]

    def claim_probe(self, topic: str) -> bool:
        """Say whether a message may go: on a held topic one may, and asks for all of them."""
        if topic not in self._held:
            return True
        until, pause_s = self._held[topic]
        if until == _PROBING:
            return False
        self._held[topic] = (_PROBING, pause_s)
        return True

    def refused(self, topic: str) -> bool:
        """Hold a topic, or hold it longer; False: it was sent before the topic was known to be refused."""
        until, pause_s = self._held.get(topic, (_PROBING, _FIRST_PAUSE_S))
        if until != _PROBING:
            return False
        pause_s = min(2 * pause_s, self._longest_pause_s)
        self._held[topic] = (self._clock() + pause_s, pause_s)
        return True

    def taken(self, topic: str) -> bool:
        """Let a topic go; False: it was not held."""
        return self._held.pop(topic, None) is not None
