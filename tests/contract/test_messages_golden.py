"""The messages of version 1, as bytes that stations in the field send for years."""

from pathlib import Path

import msgspec
import pytest

from contract import Event, Malformed, decode, encode
from contract.examples import EXAMPLES
from contract.topics import KINDS, topic_of

GOLDEN = Path(__file__).parent / "golden"


def golden(name: str) -> tuple[str, bytes]:
    kind, record = EXAMPLES[name]
    ending = "msgpack" if kind == "media" else "json"
    return topic_of("wildpost", record.station, kind), (GOLDEN / f"v1-{name}.{ending}").read_bytes()


def test_every_kind_of_message_has_a_golden_file_and_no_file_is_left_over() -> None:
    assert {kind for kind, _ in EXAMPLES.values()} == set(KINDS)
    assert {path.stem for path in GOLDEN.iterdir()} == {f"v1-{name}" for name in EXAMPLES}


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_message_of_version_1_is_still_read(name: str) -> None:
    topic, payload = golden(name)
    assert decode(topic, payload) == EXAMPLES[name][1]


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_message_is_still_written_as_version_1(name: str) -> None:
    assert encode(EXAMPLES[name][1]) == golden(name)[1]


@pytest.mark.parametrize("name", [name for name in EXAMPLES if name != "media"])
def test_a_field_of_a_later_minor_version_is_passed_over(name: str) -> None:
    topic, payload = golden(name)
    later = msgspec.json.decode(payload) | {"schema": "1.7", "moon_phase": {"lit": 0.4}}
    read = decode(topic, msgspec.json.encode(later))
    assert read == msgspec.structs.replace(EXAMPLES[name][1], schema="1.7")


def test_health_of_a_station_that_keeps_no_originals_yet_is_still_read() -> None:
    topic, payload = golden("health")
    earlier = msgspec.json.decode(payload)
    del earlier["evicted_originals"]
    read = decode(topic, msgspec.json.encode(earlier))
    assert read == msgspec.structs.replace(EXAMPLES["health"][1], evicted_originals=0)


def test_health_of_a_station_that_counts_no_voices_yet_is_still_read() -> None:
    topic, payload = golden("health")
    earlier = msgspec.json.decode(payload)
    del earlier["voice_clips_sent"], earlier["voice_clips_dropped"]
    read = decode(topic, msgspec.json.encode(earlier))
    assert read == msgspec.structs.replace(EXAMPLES["health"][1], voice_clips_sent=0, voice_clips_dropped=0)


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_newer_major_version_is_not_guessed(name: str) -> None:
    topic, payload = golden(name)
    library = msgspec.msgpack if EXAMPLES[name][0] == "media" else msgspec.json
    newer = library.encode(library.decode(payload) | {"schema": "2.0"})
    with pytest.raises(Malformed) as refused:
        decode(topic, newer)
    assert refused.value.reason == "version"


def test_times_keep_the_offset_of_the_station() -> None:
    read = decode(*golden("event"))
    assert isinstance(read, Event)
    assert read.captured_at.isoformat() == "2026-04-12T05:41:07.250000+08:00"
