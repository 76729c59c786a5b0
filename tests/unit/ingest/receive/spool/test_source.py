"""Every kind of message of a station over its budget is held back, not dropped as unreadable."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from contract import encode, topic_of
from contract.examples import EXAMPLES
from contract.topics import Kind
from ingest.budgets.options import BudgetOptions
from ingest.budgets.tally import BudgetTally
from ingest.receive.batch import ReceivedMessage
from ingest.receive.message_buffer import BufferedMessage
from ingest.receive.spool.live_copies import LiveCopies
from ingest.receive.spool.source import SpoolSource

NOW = datetime(2026, 4, 12, tzinfo=UTC)


def of_station(station: str, kind: Kind, payload: bytes) -> BufferedMessage:
    return BufferedMessage(ReceivedMessage(topic_of("wildpost", station, kind), payload, NOW), 1, 1, 1)


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_valid_message_over_the_budget_is_held_back(tmp_path: Path, name: str) -> None:
    kind, record = EXAMPLES[name]
    tally = BudgetTally(CollectorRegistry())
    options = BudgetOptions(messages_per_hour=1, quarantine_per_hour=1)
    source = SpoolSource(tmp_path, options, tally, LiveCopies(10, lambda event: False), lambda: 0.0)
    for station in ("honest-1", "honest-2"):
        source.divert([of_station(station, "status", b"{}")], lambda messages: None)
    some = [of_station("lake-07", kind, encode(record))] * 100
    assert source.divert(some, lambda messages: None) == []
    counted = tally.take()["lake-07"]
    assert (counted.held_back, counted.unreadable) == (100, 0)
