"""The messages of version 1 in each of its minor versions, as bytes that stations in the field send for years."""

from pathlib import Path
from types import GenericAlias
from typing import Any

import msgspec
import pytest

from contract import SCHEMA, DeployedSensor, Deployment, Detection, Event, Malformed, decode, encode
from contract.examples import DEPLOYMENT, EVENT, EXAMPLES
from contract.topics import KINDS, topic_of

GOLDEN = Path(__file__).parent / "golden"
SINCE_1_1 = {"event-classified", "deployment"}
SINCE_1_2 = {"answer", "part"}
PACKED = {"media", "part"}
OF_1_1 = [name for name in EXAMPLES if name not in SINCE_1_2]
OF_1_0 = [name for name in OF_1_1 if name not in SINCE_1_1]
BEGINNINGS = {"1.0": "v1", "1.1": "v1.1", "1.2": "v1.2"}
EARLIER = [*((name, "1.0") for name in OF_1_0), *((name, "1.1") for name in OF_1_1)]


def golden(name: str, version: str = SCHEMA) -> tuple[str, bytes]:
    kind, record = EXAMPLES[name]
    ending = "msgpack" if kind in PACKED else "json"
    beginning = BEGINNINGS[version]
    return topic_of("wildpost", record.station, kind), (GOLDEN / f"{beginning}-{name}.{ending}").read_bytes()


def test_every_kind_of_message_has_a_golden_file_and_no_file_is_left_over() -> None:
    assert {kind for kind, _ in EXAMPLES.values()} == set(KINDS)
    expected = {f"v1.2-{name}" for name in EXAMPLES} | {f"{BEGINNINGS[version]}-{name}" for name, version in EARLIER}
    assert {path.stem for path in GOLDEN.iterdir()} == expected


@pytest.mark.parametrize(("name", "version"), EARLIER)
def test_a_message_of_an_earlier_version_is_still_read(name: str, version: str) -> None:
    topic, payload = golden(name, version)
    later = {"passed_over": ()} if name == "health" else {}  # since 1.2
    assert decode(topic, payload) == msgspec.structs.replace(EXAMPLES[name][1], schema=version, **later)


@pytest.mark.parametrize(
    ("source", "known"),
    [
        ("file", True),
        ("rtc", True),
        ("name", True),
        ("exif", True),
        ("recorder", True),
        ("copy", False),
        ("none", False),
    ],
)
def test_every_clock_source_is_read_and_says_whether_the_capture_time_is_known(source: str, known: bool) -> None:
    topic, payload = golden("event-blank")
    read = decode(topic, payload.replace(b'"source":"none"', f'"source":"{source}"'.encode()))
    assert isinstance(read, Event) and (read.clock.source, read.clock.is_known) == (source, known)


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_message_of_this_version_is_read(name: str) -> None:
    topic, payload = golden(name)
    assert decode(topic, payload) == EXAMPLES[name][1]


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_message_is_still_written_as_this_version(name: str) -> None:
    assert encode(EXAMPLES[name][1]) == golden(name)[1]


def test_a_receiver_of_version_1_0_reads_a_classified_event_without_the_classification() -> None:
    earlier_detection: Any = without("Detection10", Detection, "classification", {})
    earlier_event = without("Event10", Event, "", {"detections": GenericAlias(tuple, (earlier_detection, ...))})
    read: Any = msgspec.json.decode(golden("event-classified")[1], type=earlier_event)
    sent = EXAMPLES["event-classified"][1]
    assert isinstance(sent, Event)
    assert read.event_id == sent.event_id and read.models == sent.models
    assert [(one.label, one.confidence, one.model) for one in read.detections] == [("animal", 0.88, "wildpost-nano")]


def without(name: str, kind: type[msgspec.Struct], field: str, changed: dict[str, Any]) -> Any:
    """Build the type as an earlier version had it: less one field, with other types for some."""
    kept = [one for one in msgspec.structs.fields(kind) if one.name != field]
    fields = [
        (one.name, changed.get(one.name, one.type), *(() if one.required else (msgspec.field(default=one.default),)))
        for one in kept
    ]
    return msgspec.defstruct(name, fields, frozen=True, kw_only=True)


def test_a_classification_names_a_model_of_its_event() -> None:
    topic, payload = golden("event-classified")
    stranger = payload.replace(b'"confidence":0.75,"model":"county-species"', b'"confidence":0.75,"model":"other"')
    with pytest.raises(Malformed, match="detection 0 names model 'other', not among"):
        decode(topic, stranger)


@pytest.mark.parametrize("name", [name for name in EXAMPLES if name not in PACKED])
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
    library = msgspec.msgpack if EXAMPLES[name][0] in PACKED else msgspec.json
    newer = library.encode(library.decode(payload) | {"schema": "2.0"})
    with pytest.raises(Malformed) as refused:
        decode(topic, newer)
    assert refused.value.reason == "version"


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"end": "2025-01-01T00:00:00Z"}, "before its start"),
        ({"sensors": [{"name": "camera"}, {"name": "camera"}]}, "sensors share a name"),
        ({"evidence_use": "proof"}, "Invalid enum value 'proof'"),
        ({"start": "9999-12-31T00:00:00Z"}, "expected a year from 2 to 9998"),
        ({"at": "2026-04-12T05:41:07"}, "timezone"),
        ({"sensors": [{"name": "camera", "tilt_deg": 91}]}, "<= 90"),
    ],
)
def test_a_deployment_that_cannot_be_is_refused(wrong: dict[str, Any], reason: str) -> None:
    topic, payload = golden("deployment")
    with pytest.raises(Malformed, match=reason) as refused:
        decode(topic, msgspec.json.encode(msgspec.json.decode(payload) | wrong))
    assert refused.value.reason == "shape"


def test_the_largest_deployment_that_the_types_allow_is_within_the_limit() -> None:
    name, line = "n" * 60, "野" * 200
    sensor = DeployedSensor(
        name=name, kind="microphone", model=line, height_m=9999.9, tilt_deg=-89.999, heading_deg=1.1
    )
    sensors = [msgspec.structs.replace(sensor, name=f"{name}{number:02}") for number in range(32)]
    texts = {"location_name": line, "setup_by": line, "habitat": line, "tags": (line,) * 50, "comments": "野" * 2000}
    large = msgspec.structs.replace(DEPLOYMENT, sensors=tuple(sensors), **texts)
    assert decode(topic_of("wildpost", "lake-07", "deployment"), encode(large)) == large


def test_a_deployment_may_leave_out_what_is_not_known() -> None:
    known = Deployment(station="lake-07", deployment="a", at=EVENT.captured_at, sensors=(), evidence_use="lead")
    assert decode(topic_of("wildpost", "lake-07", "deployment"), encode(known)) == known


def test_times_keep_the_offset_of_the_station() -> None:
    read = decode(*golden("event"))
    assert isinstance(read, Event)
    assert read.captured_at.isoformat() == "2026-04-12T05:41:07.250000+08:00"
