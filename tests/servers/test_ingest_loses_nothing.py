"""A real broker, a real intake, and every way of stopping one of them: what was published is stored, once."""

import random
import resource
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from casebook.casebook import Casebook
from contract import SCHEMA, Event, encode, new_event_id, topic_of
from contract.examples import DEPLOYMENT, EVENT, HEALTH, MEDIA_CONTENT, STATUS
from ingest.media.folder import FolderMedia
from ingest.receive.mqtt.options import ReceiverOptions
from ingest.store.duckdb.store import DuckDbStore
from ingest.store.port import EventQuery

Started = Callable[[ReceiverOptions], Any]
Opened = Callable[[int], Any]
Messages = list[tuple[str, bytes]]


def sightings(number: int) -> tuple[list[str], Messages]:
    """Events with a person and an animal each, and their messages."""
    events = [msgspec.structs.replace(EVENT, event_id=new_event_id()) for _ in range(number)]
    return [event.event_id for event in events], [message_of(event) for event in events]


def message_of(event: Event) -> tuple[str, bytes]:
    return topic_of("wildpost", event.station, "event"), encode(event)


def assert_kept_once(folder: Path, ids: list[str]) -> None:
    store = DuckDbStore(folder / "detections.duckdb")
    try:
        stored = [event.event_id for event in store.events(EventQuery(limit=len(ids) + 10))]
    finally:
        store.close()
    assert len(stored) == len(set(stored))
    assert set(stored) == set(ids)
    casebook = Casebook(f"sqlite:///{folder}/casebook.sqlite")
    try:
        assert casebook.totals().flags == len(ids)
    finally:
        casebook.close()


def test_killed_between_commits_again_and_again_it_loses_and_doubles_nothing(
    mosquitto: Any, publisher_to: Opened, start_intake: Started, tmp_path: Path
) -> None:
    options = ReceiverOptions(port=mosquitto.port, batch_messages=20)
    ids, messages = sightings(2500)
    intake = start_intake(options)
    intake.wait_for(lambda said: said["state"]["connected"], "the intake is connected")
    flow = threading.Thread(target=publisher_to(mosquitto.port).publish, args=(messages,))
    flow.start()
    kills = 0
    while kills < 8:
        before = (intake.said or {"events": 0})["events"]
        intake.wait_for(lambda said: said["events"] > before or said["events"] == len(ids), "it stores")  # noqa: B023
        time.sleep(random.uniform(0, 0.1))
        intake.kill()
        kills += 1
        intake = start_intake(options)
        intake.wait_for(lambda said: said["state"]["connected"], "the intake is back")
    flow.join()
    intake.wait_for(lambda said: said["events"] == len(ids), "all are stored")
    intake.wait_for(lambda said: said["totals"]["flags"] == len(ids), "all are flagged")
    intake.kill()
    assert_kept_once(tmp_path / "server", ids)


def test_a_broker_stopped_half_way_and_started_again_loses_nothing(
    mosquitto: Any, publisher_to: Opened, start_intake: Started, tmp_path: Path
) -> None:
    ids, messages = sightings(600)
    intake = start_intake(ReceiverOptions(port=mosquitto.port, batch_messages=20))
    intake.wait_for(lambda said: said["state"]["connected"], "the intake is connected")
    flow = threading.Thread(target=publisher_to(mosquitto.port).publish, args=(messages,))
    flow.start()
    intake.wait_for(lambda said: said["events"] > 100, "a part is stored")
    mosquitto.stop()
    intake.wait_for(lambda said: said["state"]["problem"], "the intake notices")
    mosquitto.start()
    flow.join()
    said = intake.wait_for(lambda said: said["events"] == len(ids), "all are stored")
    assert said["totals"]["quarantined"] == 0
    intake.wait_for(lambda said: said["state"]["connected"] and not said["state"]["problem"], "all is well again")
    intake.kill()
    assert_kept_once(tmp_path / "server", ids)


def test_without_room_on_the_disk_it_acknowledges_nothing_and_goes_on_when_there_is_room(
    mosquitto: Any, publisher_to: Opened, start_intake: Started, tmp_path: Path
) -> None:
    options = ReceiverOptions(port=mosquitto.port, retry_max_s=0.5)
    ids, messages = sightings(90)
    publisher = publisher_to(mosquitto.port)
    intake = start_intake(options)
    intake.wait_for(lambda said: said["state"]["connected"], "the intake is connected")
    publisher.publish(messages[:30])
    intake.wait_for(lambda said: said["events"] == 30, "the first are stored")
    # No file may grow any more: every write of the database fails as on a full disk.
    resource.prlimit(intake.process.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    publisher.publish(messages[30:60])
    said = intake.wait_for(lambda said: said["state"]["problem"], "it says so")
    assert "nothing is acknowledged until this is resolved" in said["state"]["problem"]
    assert said["events"] == 30
    # Had it acknowledged what it could not store, killing it now would lose that.
    intake.kill()
    intake = start_intake(options)
    intake.wait_for(lambda said: said["events"] == 60, "the second are stored after all")
    resource.prlimit(intake.process.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    publisher.publish(messages[60:])
    intake.wait_for(lambda said: said["state"]["problem"], "it says so again")
    resource.prlimit(intake.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    intake.wait_for(lambda said: said["events"] == 90 and not said["state"]["problem"], "it goes on by itself")
    intake.wait_for(lambda said: said["totals"]["flags"] == 90, "all are flagged")
    intake.kill()
    assert_kept_once(tmp_path / "server", ids)


def test_media_without_room_is_not_acknowledged_either(
    mosquitto: Any, publisher_to: Opened, start_intake: Started, tmp_path: Path
) -> None:
    options = ReceiverOptions(port=mosquitto.port, retry_max_s=0.5)
    intake = start_intake(options)
    intake.wait_for(lambda said: said["state"]["connected"], "the intake is connected")
    resource.prlimit(intake.process.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    publisher_to(mosquitto.port).publish([(topic_of("wildpost", "lake-07", "media"), encode(MEDIA_CONTENT))])
    said = intake.wait_for(lambda said: said["state"]["problem"], "it says so")
    assert "File too large" in said["state"]["problem"]
    folder = tmp_path / "server" / "media"
    assert [path for path in folder.rglob("*") if path.is_file()] == []
    intake.kill()
    intake = start_intake(options)
    intake.wait_for(lambda said: said["totals"]["media"] == 1, "the thumbnail is kept")
    with FolderMedia(folder).open(MEDIA_CONTENT.sha256) as file:
        assert file.read() == MEDIA_CONTENT.data


def test_media_may_come_before_its_event_and_twice(
    mosquitto: Any, publisher_to: Opened, start_intake: Started, tmp_path: Path
) -> None:
    intake = start_intake(ReceiverOptions(port=mosquitto.port))
    intake.wait_for(lambda said: said["state"]["connected"], "the intake is connected")
    media = (topic_of("wildpost", "lake-07", "media"), encode(MEDIA_CONTENT))
    publisher_to(mosquitto.port).publish([media, message_of(EVENT), media, message_of(EVENT)])
    said = intake.wait_for(lambda said: said["state"]["taken"]["received"] == 4, "all four are taken")
    assert (said["events"], said["totals"]["media"], said["totals"]["quarantined"]) == (1, 1, 0)
    intake.kill()
    casebook = Casebook(f"sqlite:///{tmp_path}/server/casebook.sqlite")
    (entry,) = casebook.media_of([EVENT.event_id])[EVENT.event_id]
    casebook.close()
    assert (entry.sha256, entry.role, entry.size) == (MEDIA_CONTENT.sha256, "thumbnail", len(MEDIA_CONTENT.data))


def test_what_is_not_ours_is_quarantined_and_the_rest_goes_on(
    mosquitto: Any, publisher_to: Opened, start_intake: Started, tmp_path: Path
) -> None:
    intake = start_intake(ReceiverOptions(port=mosquitto.port))
    intake.wait_for(lambda said: said["state"]["connected"], "the intake is connected")
    topic, payload = message_of(EVENT)
    forged = msgspec.structs.replace(MEDIA_CONTENT, data=b"something else")
    hostile = {
        "size": (topic, b"x" * 10_000_000),
        "syntax": (topic, b'{"schema": "1.0", "station": "\xff\xfe"}'),
        "shape": (topic, b'{"schema": "1.0", "temperature": 21}'),
        "version": (topic, payload.replace(f'"schema":"{SCHEMA}"'.encode(), b'"schema":"2.0"')),
        "station": (topic_of("wildpost", "other", "event"), payload),
        "topic": ("wildpost/v1/lake-07/nonsense", payload),
        "hash": (topic_of("wildpost", "lake-07", "media"), encode(forged)),
    }
    deep = (topic, b'{"schema":"1.0","x":' + b"[" * 100_000 + b"]" * 100_000 + b"}")
    empty = ("wildpost/v1/lake-07/nonsense", b"")
    question = (topic, b"")  # by which a station asks its broker whether it may speak
    publisher_to(mosquitto.port).publish([*hostile.values(), deep, empty, question, (topic, payload)])
    said = intake.wait_for(lambda said: said["events"] == 1, "the good one is stored")
    assert said["totals"]["quarantined"] == 9
    intake.kill()
    casebook = Casebook(f"sqlite:///{tmp_path}/server/casebook.sqlite")
    kept = casebook.quarantined(limit=100)
    casebook.close()
    assert {item.reason for item in kept} == set(hostile)
    (large,) = [item for item in kept if item.reason == "size"]
    assert (large.size, large.topic, large.station) == (10_000_000, topic, "lake-07")
    assert len(large.payload) == 16_384
    assert "expected at most 256000" in large.detail


def test_messages_published_while_the_server_is_away_wait_at_the_broker(
    mosquitto: Any, publisher_to: Opened, start_intake: Started, tmp_path: Path
) -> None:
    options = ReceiverOptions(port=mosquitto.port, protocol="3.1.1")
    ids, messages = sightings(300)
    intake = start_intake(options)
    intake.wait_for(lambda said: said["state"]["connected"], "the intake is connected")
    intake.kill()
    publisher_to(mosquitto.port).publish(messages)
    mosquitto.stop()
    mosquitto.start()
    intake = start_intake(options)
    intake.wait_for(lambda said: said["totals"]["flags"] == len(ids), "all are stored and flagged")
    intake.kill()
    assert_kept_once(tmp_path / "server", ids)


def test_status_health_and_deployment_reach_the_store(
    mosquitto: Any, publisher_to: Opened, start_intake: Started, tmp_path: Path
) -> None:
    intake = start_intake(ReceiverOptions(port=mosquitto.port))
    intake.wait_for(lambda said: said["state"]["connected"], "the intake is connected")
    publisher_to(mosquitto.port).publish(
        [
            (topic_of("wildpost", "lake-07", "status"), encode(STATUS)),
            (topic_of("wildpost", "lake-07", "health"), encode(HEALTH)),
            (topic_of("wildpost", "lake-07", "deployment"), encode(DEPLOYMENT)),
        ]
    )
    intake.wait_for(lambda said: said["state"]["taken"]["stored"] == 3, "all are stored")
    intake.kill()
    store = DuckDbStore(tmp_path / "server" / "detections.duckdb")
    (state,) = store.stations()
    deployments = store.deployments()
    store.close()
    assert deployments == [DEPLOYMENT]
    assert (state.station, state.status, state.health) == ("lake-07", STATUS, HEALTH)
