"""Report to the server about a message that the broker will never accept."""

from datetime import UTC, datetime

from contract import SetAside, encode, new_event_id, parse_topic, topic_of
from edge.outbox.message import OutboxMessage


def unsendable_report(prefix: str, station: str, message: OutboxMessage, reason: str) -> OutboxMessage | None:
    """Return the report about an unsendable message; None for a report: each would cause another one."""
    topic = topic_of(prefix, station, "setaside")
    if message.topic == topic:
        return None
    report = SetAside(
        report_id=new_event_id(),
        station=station,
        sensor="publisher",
        at=datetime.now(UTC),
        name=f"{parse_topic(message.topic).kind} {message.number}",
        reason=reason,
        size=len(message.payload),
    )
    return OutboxMessage(topic, encode(report), priority=2)
