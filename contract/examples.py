"""Example messages of each kind, for the reference page, the golden files, tests and benchmarks."""

import base64
import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone

from contract.codec import Record
from contract.commands import PART_BYTES, Answer, MediaPart
from contract.deployment import DeployedSensor, Deployment
from contract.messages import (
    Alternative,
    Box,
    Classification,
    Clock,
    Detection,
    Effort,
    Event,
    Health,
    Location,
    Media,
    MediaContent,
    Model,
    PassedOver,
    SetAside,
    Span,
    Status,
)
from contract.topics import Kind

_CHINA = timezone(timedelta(hours=8))
_AT = datetime(2026, 4, 12, 5, 41, 7, 250000, _CHINA)
_CLOCK = Clock(source="gps", synchronised=True, error_s=0.05)
_BOOT = "0195d0a0-0000-7000-8000-00000000b007"
_THUMBNAIL = b"\xff\xd8 not a picture, only an example \xff\xd9"

EVENT = Event(
    event_id="0195d0a1-0000-7000-8000-000000000001",
    station="lake-07",
    sensor="camera",
    deployment="lake-07-2026",
    captured_at=_AT,
    clock=_CLOCK,
    boot_id=_BOOT,
    sequence=41,
    capture="picture",
    models=(Model(name="wildpost-nano", version="1", sha256="0" * 64),),
    detections=(
        Detection(
            ordinal=0,
            label="person",
            observation_type="human",
            confidence=0.91,
            model="wildpost-nano",
            scientific_name="Homo sapiens",
            box=Box(0.25, 0.5, 0.125, 0.375),
        ),
        Detection(ordinal=1, label="animal", observation_type="animal", confidence=0.5, model="wildpost-nano"),
    ),
    media=(
        Media(sha256="1" * 64, type="image/jpeg", size=3_145_728, role="original", name="野猪 0041.JPG"),
        Media(sha256=hashlib.sha256(_THUMBNAIL).hexdigest(), type="image/jpeg", size=len(_THUMBNAIL), role="thumbnail"),
    ),
    visit_id="0195d0a1-0000-7000-8000-0000000000ff",
    location=Location(latitude=31.0, longitude=117.3),
)

SOUND_EVENT = Event(
    event_id="0195d0a1-0000-7000-8000-000000000002",
    station="marsh-02",
    sensor="microphone",
    deployment="marsh-02-2026",
    captured_at=_AT,
    clock=Clock(source="rtc", synchronised=False),
    boot_id=_BOOT,
    sequence=42,
    capture="sound",
    duration_s=60.0,
    models=(Model(name="birdnet", version="2.4", sha256="2" * 64),),
    detections=(
        Detection(
            ordinal=0,
            label="Eurasian Bittern",
            observation_type="animal",
            confidence=0.83,
            model="birdnet",
            scientific_name="Botaurus stellaris",
            span=Span(start_s=12.0, end_s=15.0, low_hz=100.0, high_hz=400.0),
        ),
    ),
    media=(),
)

CLASSIFIED_EVENT = Event(
    event_id="0195d0a1-0000-7000-8000-000000000004",
    station="lake-07",
    sensor="camera",
    deployment="lake-07-2026",
    captured_at=_AT,
    clock=_CLOCK,
    boot_id=_BOOT,
    sequence=44,
    capture="picture",
    models=(
        Model(name="wildpost-nano", version="1", sha256="0" * 64),
        Model(name="county-species", version="3", sha256="3" * 64),
    ),
    detections=(
        Detection(
            ordinal=0,
            label="animal",
            observation_type="animal",
            confidence=0.88,
            model="wildpost-nano",
            box=Box(0.5, 0.25, 0.25, 0.5),
            classification=Classification(
                label="wild boar",
                confidence=0.75,
                model="county-species",
                scientific_name="Sus scrofa",
                alternatives=(Alternative(label="deer", confidence=0.125),),
            ),
        ),
    ),
    media=(),
)

BLANK_EVENT = Event(
    event_id="0195d0a1-0000-7000-8000-000000000003",
    station="lake-07",
    sensor="camera",
    deployment="lake-07-2026",
    captured_at=_AT,
    clock=Clock(source="none", synchronised=False),
    boot_id=_BOOT,
    sequence=43,
    capture="picture",
    models=(),
    detections=(),
    media=(),
)

STATUS = Status(station="lake-07", state="online", at=_AT, version="0.1.0")

HEALTH = Health(
    station="lake-07",
    at=_AT,
    boot_id=_BOOT,
    uptime_s=86_400.0,
    clock=_CLOCK,
    disk_free_bytes=20_000_000_000,
    waiting_messages=3,
    set_aside=1,
    memory_free_bytes=512_000_000,
    load_1min=0.4,
    temperature_c=41.5,
    evicted_media=12,
    voice_clips_sent=2,
    voice_clips_dropped=5,
    evicted_originals=7,
    passed_over=(PassedOver(kind=".avi", count=310), PassedOver(kind="@eadir/", count=2)),
)

EFFORT = Effort(
    effort_id="0195d0a1-0000-7000-8000-00000000effa",
    station="lake-07",
    sensor="camera",
    deployment="lake-07-2026",
    start=_AT - timedelta(hours=1),
    end=_AT,
    watching=False,
    gap="blind",
    captures=7,
    note="lens covered",
)

SET_ASIDE = SetAside(
    report_id="0195d0a1-0000-7000-8000-00000000a51d",
    station="lake-07",
    sensor="camera",
    at=_AT,
    name="野猪 0042.JPG",
    reason="the picture ends after 1,024 of 3,145,728 bytes",
    size=1024,
)

MEDIA_CONTENT = MediaContent(
    event_id=EVENT.event_id,
    station="lake-07",
    sha256=hashlib.sha256(_THUMBNAIL).hexdigest(),
    type="image/jpeg",
    role="thumbnail",
    data=_THUMBNAIL,
)

DEPLOYMENT = Deployment(
    station="lake-07",
    deployment="lake-07-2026",
    at=_AT,
    sensors=(
        DeployedSensor(
            name="camera", kind="camera", model="Reconyx HF2X", height_m=0.75, tilt_deg=-10.0, heading_deg=22.5
        ),
        DeployedSensor(name="microphone", kind="microphone"),
    ),
    evidence_use="lead",
    start=_AT - timedelta(days=30),
    location=Location(latitude=31.0, longitude=117.3),
    coordinate_uncertainty_m=25,
    location_name="东湖北岸",
    setup_by="field team 2",
    habitat="reed bed",
    bait_use=False,
    timestamp_issues=False,
    tags=("wetland", "closed season"),
    comments="on the old boat post",
)

ANSWER = Answer(
    station="lake-07",
    serial=41,
    nonce="0123456789abcdef0123456789abcdef",
    kind="media",
    state="gone",
    at=_AT,
    key=base64.b64encode(bytes(32)).decode(),
    detail="野猪 0041.JPG: the station does not have it any more",
    signature=base64.b64encode(bytes(64)).decode(),
)

MEDIA_PART = MediaPart(
    event_id=EVENT.event_id,
    station="lake-07",
    sha256="1" * 64,
    size=3_145_728,
    offset=PART_BYTES,
    data=b"only an example",
)

EXAMPLES: Mapping[str, tuple[Kind, Record]] = {
    "event": ("event", EVENT),
    "event-sound": ("event", SOUND_EVENT),
    "event-blank": ("event", BLANK_EVENT),
    "event-classified": ("event", CLASSIFIED_EVENT),
    "status": ("status", STATUS),
    "health": ("health", HEALTH),
    "effort": ("effort", EFFORT),
    "setaside": ("setaside", SET_ASIDE),
    "media": ("media", MEDIA_CONTENT),
    "deployment": ("deployment", DEPLOYMENT),
    "answer": ("answer", ANSWER),
    "part": ("part", MEDIA_PART),
}
