"""Which held back captures are copied ahead, so that an alert does not wait for a backlog."""

from datetime import UTC, datetime, timedelta, timezone

import msgspec

from contract import Event, encode, new_event_id, topic_of
from contract.examples import EVENT
from ingest.receive.batch import ReceivedMessage
from ingest.receive.message_buffer import MessageBuffer
from ingest.receive.spool.live_copies import LiveCopies


def message(at: datetime, station: str = "lake-07") -> ReceivedMessage:
    event = msgspec.structs.replace(EVENT, event_id=new_event_id(), station=station, captured_at=at)
    return ReceivedMessage(topic_of("wildpost", station, "event"), encode(event), datetime.now(UTC))


def offered(*messages: ReceivedMessage, minutes: float = 10, urgent: bool = True) -> list[bytes]:
    buffer = MessageBuffer(1000, 10**9)

    def is_urgent(event: Event) -> bool:
        return urgent

    count = LiveCopies(minutes, is_urgent).offer(messages, buffer)
    copies = buffer.next_batch(1000, 10**9, 0.01) if count else []
    assert len(copies) == count
    return [one.message.payload for one in copies]


def test_recent_flagged_captures_are_copied_whatever_their_offset_from_utc() -> None:
    now = datetime.now(UTC)
    live = [message(now), message((now - timedelta(minutes=9)).astimezone(timezone(timedelta(hours=8))))]
    old = [message(now - timedelta(days=20)) for _ in range(50)]
    assert offered(*old, *live) == [one.payload for one in live]


def test_captures_that_no_rule_flags_and_other_messages_are_not_copied() -> None:
    now = datetime.now(UTC)
    assert offered(message(now), urgent=False) == []
    assert offered(message(now), minutes=0) == []
    for value in (b"", b"yesterday", b"2026-04-12", b"\xff" * 30):
        payload = b'{"captured_at":"' + value + b'"}'
        assert offered(ReceivedMessage("wildpost/v1/lake-07/event", payload, now)) == []


def test_a_flood_of_recent_captures_is_copied_up_to_a_limit() -> None:
    now = datetime.now(UTC)
    buffer = MessageBuffer(10_000, 10**9)
    copies = LiveCopies(10, lambda event: True, clock=lambda: 0.0)
    assert copies.offer([message(now, "stolen") for _ in range(500)], buffer) == 60
    assert copies.offer([message(now, "honest")], buffer) == 1
