"""A topic that the broker refuses is tried again by one message, ever more slowly, and holds up no other."""

from edge.transport.mqtt.topic_backoff import TopicBackoff


class Clock:
    """A clock that the test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_one_message_asks_for_all_and_ever_more_slowly() -> None:
    clock = Clock()
    held = TopicBackoff(5, clock)
    assert held.claim_probe("event")
    pauses = []
    assert held.record_refusal("event")
    for _ in range(3):
        assert held.paused_topics() == ["event"]
        began = clock.now
        while held.paused_topics():
            clock.now += 0.5
        pauses.append(clock.now - began)
        assert held.claim_probe("event")
        assert not held.claim_probe("event"), "until it is answered no other goes"
        assert held.record_refusal("event")
    assert pauses == [2, 4, 5]


def test_several_under_way_count_as_one_refusal() -> None:
    held = TopicBackoff(60, Clock())
    assert held.record_refusal("event")
    assert not held.record_refusal("event")
    assert held.topics == ["event"]


def test_a_topic_that_is_taken_is_free() -> None:
    held = TopicBackoff(60, Clock())
    held.record_refusal("event")
    assert held.claim_probe("health")
    assert held.record_success("event")
    assert not held.record_success("event")
    assert held.claim_probe("event")
    assert held.topics == held.paused_topics() == []
