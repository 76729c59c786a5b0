"""Exponential back-off for topics on which the broker refuses messages; one probe message tests a topic."""

import math
import time
from collections.abc import Callable

_PROBING = math.inf  # nothing is sent on a topic until its probe message is answered
_FIRST_PAUSE_S = 1.0


class TopicBackoff:
    """Pauses topics whose messages the broker refuses, so that these messages do not fill the in-flight limit."""

    def __init__(self, longest_pause_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Set the longest pause between two attempts on a topic; pauses start at 2 s and double."""
        self._longest_pause_s = longest_pause_s
        self._clock = clock
        self._held: dict[str, tuple[float, float]] = {}  # by topic: end of its pause, and length of the pause

    @property
    def topics(self) -> list[str]:
        """Topics that are in back-off, sorted by name."""
        return sorted(self._held)

    def paused_topics(self) -> list[str]:
        """Return the topics on which no message may be sent now."""
        now = self._clock()
        return [topic for topic, (until, _) in self._held.items() if now < until]

    def claim_probe(self, topic: str) -> bool:
        """Return whether to send a message on a topic; a topic in back-off allows one probe message."""
        if topic not in self._held:
            return True
        until, pause_s = self._held[topic]
        if until == _PROBING:
            return False
        self._held[topic] = (_PROBING, pause_s)
        return True

    def record_refusal(self, topic: str) -> bool:
        """Pause a topic or double its pause; return False if the message was sent before the pause."""
        until, pause_s = self._held.get(topic, (_PROBING, _FIRST_PAUSE_S))
        if until != _PROBING:
            return False
        pause_s = min(2 * pause_s, self._longest_pause_s)
        self._held[topic] = (self._clock() + pause_s, pause_s)
        return True

    def clear(self) -> None:
        """End the pauses of all topics; each is tried with one probe message, and its next pause is longer."""
        now = self._clock()
        self._held = {topic: (now, pause_s) for topic, (_, pause_s) in self._held.items()}

    def record_success(self, topic: str) -> bool:
        """End the back-off of a topic; return False if the topic was not in back-off."""
        return self._held.pop(topic, None) is not None
