from datetime import UTC, datetime

import pytest

from bench.flooding import FLOODS
from ingest.receive.batch import ReceivedMessage, read_batch


@pytest.mark.parametrize("kind", FLOODS)
def test_the_server_can_read_every_flood_but_garbage(kind: str) -> None:
    topic, payload = FLOODS[kind]("stolen")
    batch = read_batch([ReceivedMessage(topic, payload, datetime.now(UTC))])
    assert len(batch.unusable) == (kind == "garbage")
