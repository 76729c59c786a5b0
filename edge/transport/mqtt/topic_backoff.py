"""Retry with exponential back-off for topics on which the broker refuses messages; one message probes a topic."""

import math
import time
from collections.abc import Callable

_PROBING = math.inf  # nothing is sent on a topic until its probe message is answered
_FIRST_PAUSE_S = 1.0


class TopicBackoff:
    """Pauses topics whose messages the broker refuses, so that they do not take up places in flight."""

    def __init__(self, longest_pause_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Set the longest pause between two attempts; the first pause is 2 s, and each next one twice as long."""
        self._longest_pause_s = longest_pause_s
        self._clock = clock
        self._held: dict[str, tuple[float, float]] = {}  # by topic: end of its pause, and length of the pause

    @property
    def topics(self) -> list[str]:
        """All topics with back-off, sorted."""
        return sorted(self._held)

    def paused_topics(self) -> list[str]:
        """Return the topics on which nothing may be sent now."""
        now = self._clock()
        return [topic for topic, (until, _) in self._held.items() if now < until]

    def claim_probe(self, topic: str) -> bool:
        """Return whether to send a message; a topic with back-off allows one probe message."""
        if topic not in self._held:
            return True
        until, pause_s = self._held[topic]
        if until == _PROBING:
            return False
        self._held[topic] = (_PROBING, pause_s)
        return True

    def record_refusal(self, topic: str) -> bool:
        """Pause a topic, or double its pause; False: the message was sent before the topic was paused."""
        until, pause_s = self._held.get(topic, (_PROBING, _FIRST_PAUSE_S))
        if until != _PROBING:
            return False
        pause_s = min(2 * pause_s, self._longest_pause_s)
        self._held[topic] = (self._clock() + pause_s, pause_s)
        return True

    def record_success(self, topic: str) -> bool:
        """End a topic's back-off; False: it had none."""
        return self._held.pop(topic, None) is not None
