"""A station with a budget sends every event at once, and its media when there is room for them again."""

from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from contract import Event, MediaContent, encode, topic_of
from contract.examples import EVENT, MEDIA_CONTENT
from edge.link_budget import LinkBudget, LinkOptions, waiting_topics
from edge.outbox.outbox import Outbox, OutboxMessage
from edge.transport.mqtt.publisher import Publisher, StationBrokerOptions
from tests.conftest import Mosquitto
from tests.eventually import eventually
from tests.servers.test_station_delivery import Ear

PREFIX, STATION = "wildpost", "ridge-07"


def test_events_go_and_media_wait_for_the_next_day(mosquitto: Mosquitto, tmp_path: Path) -> None:
    now = datetime(2026, 5, 1, 12, tzinfo=UTC)
    medium = encode(msgspec.structs.replace(MEDIA_CONTENT, station=STATION))
    options = LinkOptions(megabytes_per_day=3 * len(medium) / 1e6)
    with closing(Ear(mosquitto.port)) as ear, closing(Outbox(tmp_path / "outbox.sqlite")) as outbox:
        links = LinkBudget(options, UTC, waiting_topics(PREFIX, STATION), outbox, lambda: now)
        publisher = Publisher(
            StationBrokerOptions(port=mosquitto.port, in_flight=1, keep_acknowledged_s=0), STATION, outbox, links=links
        )
        media = [OutboxMessage(topic_of(PREFIX, STATION, "media"), medium, 3, media=True)] * 10
        outbox.commit(media)
        publisher.start()
        try:
            eventually(lambda: links.hold() is not None, "the budget is used up")
            event = encode(msgspec.structs.replace(EVENT, station=STATION))
            outbox.commit([OutboxMessage(topic_of(PREFIX, STATION, "event"), event)])
            eventually(lambda: any(isinstance(one, Event) for one in ear.records), "the event arrives")
            came = sum(isinstance(one, MediaContent) for one in ear.records)
            held = links.held_media()
            assert 1 <= came <= 3 and held is not None
            assert (held.reason, held.messages, held.until) == ("day", 10 - came, datetime(2026, 5, 2, tzinfo=UTC))

            now += timedelta(days=1)
            eventually(lambda: sum(isinstance(one, MediaContent) for one in ear.records) > came, "more media arrive")
        finally:
            publisher.stop()
