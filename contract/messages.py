"""The messages a station sends: what it saw or heard, how it fares, and when it was watching.

Names follow Camtrap DP 1.0 in snake case (``observation_type`` is its ``observationType``); the mapping is in
docs/reference/messages.md. Times carry their offset, scores are 0..1, boxes are fractions of the picture.
"""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

SCHEMA = "1.1"  # docs/reference/messages.md lists what each minor version added

ObservationType = Literal["animal", "human", "vehicle", "blank", "unknown", "unclassified"]
ClockSource = Literal["gps", "ntp", "rtc", "exif", "system", "file", "none"]
MediaRole = Literal["original", "thumbnail", "clip"]
Gap = Literal["off", "blind", "deaf", "clock", "disk", "broken"]

Name = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9][A-Za-z0-9_-]{0,62}\Z")]
Uuid = Annotated[str, Meta(pattern=r"\A[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")]
Sha256 = Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}\Z")]
Text = Annotated[str, Meta(min_length=1, max_length=200)]
Note = Annotated[str, Meta(max_length=2000)]
Fraction = Annotated[float, Meta(ge=0, le=1)]
Count = Annotated[int, Meta(ge=0, le=2**53)]
Amount = Annotated[float, Meta(ge=0)]
Moment = Annotated[datetime, Meta(tz=True)]

ROUNDING = 1e-6  # boxes are sums of floats: an edge may lie this far outside the picture


class Box(Struct, frozen=True, gc=False, array_like=True):
    """Where in the picture, as fractions of its size, origin top left; on the wire [x, y, width, height]."""

    x: Fraction
    y: Fraction
    width: Fraction
    height: Fraction

    def __post_init__(self) -> None:
        if self.x + self.width > 1 + ROUNDING or self.y + self.height > 1 + ROUNDING:
            raise ValueError(f"box {[self.x, self.y, self.width, self.height]} reaches outside the picture")


class Span(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """When within the clip, in seconds from its start, and between which frequencies."""

    start_s: Amount
    end_s: Amount
    low_hz: Amount | None = None
    high_hz: Amount | None = None

    def __post_init__(self) -> None:
        if self.end_s < self.start_s:
            raise ValueError(f"span ends at {self.end_s} s, before its start at {self.start_s} s")


class Clock(Struct, frozen=True, gc=False, kw_only=True):
    """How far the time of a capture can be trusted."""

    source: ClockSource
    synchronised: bool
    error_s: Amount | None = None  # estimated; None: not known


class Location(Struct, frozen=True, gc=False, kw_only=True):
    """Where the deployment stands: WGS 84, decimal degrees."""

    latitude: Annotated[float, Meta(ge=-90, le=90)]
    longitude: Annotated[float, Meta(ge=-180, le=180)]


class Model(Struct, frozen=True, gc=False, kw_only=True):
    """Which weights made a claim, so that old detections stay interpretable after an upgrade."""

    name: Text
    version: Text
    sha256: Sha256


class Media(Struct, frozen=True, gc=False, kw_only=True):
    """A file that belongs to an event: the original stays on the station, a thumbnail or a clip travels."""

    sha256: Sha256
    type: Text
    size: Count
    role: MediaRole
    name: Annotated[str, Meta(max_length=255)] = ""


class Alternative(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """A taxon that a classifier found less probable than the one it reports."""

    label: Text
    confidence: Fraction
    scientific_name: Text | None = None


class Classification(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """What a classifier says of a detection; the detector's own label, confidence and model stay as they are."""

    label: Text
    confidence: Fraction
    model: Text  # the name of one of the event's models
    scientific_name: Text | None = None
    alternatives: Annotated[tuple[Alternative, ...], Meta(max_length=20)] = ()  # most confident first


class Detection(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """One detector's claim about one event; a person's verdict on it makes it an observation."""

    ordinal: Annotated[int, Meta(ge=0, lt=10_000)]  # tells two animals in one picture apart
    label: Text
    observation_type: ObservationType
    confidence: Fraction
    model: Text  # the name of one of the event's models
    scientific_name: Text | None = None
    box: Box | None = None
    span: Span | None = None
    classification: Classification | None = None  # since 1.1


class Event(Struct, frozen=True, gc=False, kw_only=True):
    """One capture and everything that was found in it; no detections means a blank."""

    event_id: Uuid  # UUIDv7, fixed at capture: a message delivered twice is stored once
    station: Name
    sensor: Name
    deployment: Name
    captured_at: Moment
    clock: Clock
    boot_id: Uuid
    sequence: Count  # counts captures within one boot: orders them even where the clock cannot
    capture: Literal["picture", "sound"]
    models: tuple[Model, ...]
    detections: tuple[Detection, ...]
    media: tuple[Media, ...]
    schema: str = SCHEMA
    duration_s: Amount = 0.0
    visit_id: Uuid | None = None  # captures of one visit share it: Camtrap DP's eventID
    location: Location | None = None

    def __post_init__(self) -> None:
        names = {model.name for model in self.models}
        for detection in self.detections:
            classified = detection.classification
            for model in (detection.model, *((classified.model,) if classified else ())):
                if model not in names:
                    raise ValueError(f"detection {detection.ordinal} names model {model!r}, not among {sorted(names)}")
        ordinals = [detection.ordinal for detection in self.detections]
        if len(set(ordinals)) != len(ordinals):
            raise ValueError(f"detections share an ordinal: {ordinals}")


class Status(Struct, frozen=True, gc=False, kw_only=True):
    """Whether a station is there: retained, and set to offline by its last will."""

    station: Name
    state: Literal["online", "offline"]
    at: Moment
    schema: str = SCHEMA
    version: Annotated[str, Meta(max_length=50)] = ""


class Health(Struct, frozen=True, gc=False, kw_only=True):
    """How a station fares, now and then."""

    station: Name
    at: Moment
    boot_id: Uuid
    uptime_s: Amount
    clock: Clock
    disk_free_bytes: Count
    waiting_messages: Count  # in the outbox, not yet acknowledged by the broker
    set_aside: Count  # files and captures that could not be used, since the station was set up
    schema: str = SCHEMA
    memory_free_bytes: Count | None = None
    load_1min: Amount | None = None
    temperature_c: float | None = None
    evicted_media: Count = 0  # delivered media removed to stay within the disk quota
    voice_clips_sent: Count = 0  # clips in which somebody speaks and that may leave the station,
    voice_clips_dropped: Count = 0  # and those that its voice policy kept back; both since it was set up
    evicted_originals: Count = 0  # pictures and recordings of its own that it gave up for want of room, likewise


class Effort(Struct, frozen=True, gc=False, kw_only=True):
    """A stretch of time in which a sensor watched, or could not and why."""

    effort_id: Uuid
    station: Name
    sensor: Name
    deployment: Name
    start: Moment
    end: Moment
    watching: bool
    schema: str = SCHEMA
    gap: Gap | None = None
    captures: Count = 0
    note: Note = ""

    def __post_init__(self) -> None:
        if self.end < self.start:
            raise ValueError(f"effort ends at {self.end}, before its start at {self.start}")
        if self.watching == (self.gap is not None):
            raise ValueError(
                f"effort is watching={self.watching} with gap {self.gap!r}: a gap needs its cause, watching has none"
            )


class SetAside(Struct, frozen=True, gc=False, kw_only=True):
    """A file or capture the station could not use: kept there, reported here with the reason."""

    report_id: Uuid
    station: Name
    sensor: Name
    at: Moment
    name: Annotated[str, Meta(max_length=255)]
    reason: Note
    size: Count
    schema: str = SCHEMA


class MediaContent(Struct, frozen=True, gc=False, kw_only=True):
    """The bytes of a thumbnail or a clip, in a message of their own; travels as MessagePack."""

    event_id: Uuid
    station: Name
    sha256: Sha256
    type: Text
    role: MediaRole
    data: bytes
    schema: str = SCHEMA
