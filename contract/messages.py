"""Types of the messages that a station sends: events, status, health, effort, set-aside files and media.

``contract.bounds`` has the bounds of every number, text and list. Names follow Camtrap DP 1.0 in snake case
(``observation_type`` is its ``observationType``); the mapping is in docs/reference/messages.md. Times have a UTC
offset, scores are 0..1, boxes are fractions of the picture.
"""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from contract.bounds import (
    DETECTIONS,
    MEDIA,
    MODELS,
    PASSED_OVER,
    ClockError,
    Count,
    Damage,
    FileName,
    Fraction,
    Frequency,
    Latitude,
    Load,
    Longitude,
    Moment,
    Name,
    Note,
    Ordinal,
    Schema,
    Seconds,
    Sha256,
    Temperature,
    Text,
    Uptime,
    Uuid,
    is_representable,
)
from contract.event_chain import ChainLink, Signature

SCHEMA = "1.2"  # docs/reference/messages.md lists what each minor version added

ObservationType = Literal["animal", "human", "vehicle", "blank", "unknown", "unclassified"]
ClockSource = Literal["gps", "ntp", "rtc", "exif", "recorder", "name", "copy", "corrected", "system", "file", "none"]
MediaRole = Literal["original", "thumbnail", "clip"]
Gap = Literal["off", "blind", "deaf", "clock", "disk", "broken"]

ROUNDING = 1e-6  # tolerance for floating-point sums: an edge may be this far outside the picture


class Box(Struct, frozen=True, gc=False, array_like=True):
    """Bounding box as fractions of the picture, origin top left; encoded as [x, y, width, height]."""

    x: Fraction
    y: Fraction
    width: Fraction
    height: Fraction

    def __post_init__(self) -> None:
        if self.x + self.width > 1 + ROUNDING or self.y + self.height > 1 + ROUNDING:
            raise ValueError(f"box {[self.x, self.y, self.width, self.height]} extends beyond the picture")


class Span(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """Time span of a detection in a sound or film, in seconds from its start, with optional frequency bounds."""

    start_s: Seconds
    end_s: Seconds
    low_hz: Frequency | None = None
    high_hz: Frequency | None = None

    def __post_init__(self) -> None:
        if self.end_s < self.start_s:
            raise ValueError(f"span ends at {self.end_s} s, before its start at {self.start_s} s")


class Clock(Struct, frozen=True, gc=False, kw_only=True):
    """Clock that gave a capture time, with the accuracy of that time.

    ``source`` is the clock of a station (gps, ntp, rtc, system), the place of the time in a file (exif, recorder, name;
    copy: the time at which the file was last written), or none if no running clock can have shown the time. The server
    sets corrected where it shifts the clock. Before 1.2, file stood for both name and copy, and rtc also for recorder.
    """

    source: ClockSource
    synchronised: bool
    error_s: ClockError | None = None  # estimated error; None: unknown

    @property
    def is_known(self) -> bool:
        """Whether the time is that of the capture; otherwise its hour and season are not known."""
        return self.source not in ("none", "copy")


class Location(Struct, frozen=True, gc=False, kw_only=True):
    """Position of a deployment in WGS 84, in decimal degrees."""

    latitude: Latitude
    longitude: Longitude


class Model(Struct, frozen=True, gc=False, kw_only=True):
    """Name, version and hash of a model, so that old detections stay interpretable after an upgrade."""

    name: Text
    version: Text
    sha256: Sha256


class Media(Struct, frozen=True, gc=False, kw_only=True):
    """Metadata of an event's file: an original, which stays on the station, or a thumbnail or clip, which is sent."""

    sha256: Sha256
    type: Text
    size: Count
    role: MediaRole
    name: FileName = ""
    damage: Damage = ""  # since 1.2: how an original is damaged, so that a part of it may not have been examined


class Alternative(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """A taxon to which a classifier gave a lower confidence than to the taxon of its ``Classification``."""

    label: Text
    confidence: Fraction
    scientific_name: Text | None = None


class Classification(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """Result of a classifier for one detection; it does not replace the detector's label, confidence and model."""

    label: Text
    confidence: Fraction
    model: Text  # the name of one of the event's models
    scientific_name: Text | None = None
    alternatives: Annotated[tuple[Alternative, ...], Meta(max_length=20)] = ()  # most confident first


class Detection(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """One result of a detector in a capture; it becomes an observation when a person gives a verdict on it."""

    ordinal: Ordinal  # distinguishes two animals in one picture
    label: Text
    observation_type: ObservationType
    confidence: Fraction
    model: Text  # the name of one of the event's models
    scientific_name: Text | None = None
    box: Box | None = None
    span: Span | None = None
    classification: Classification | None = None  # since 1.1


class Event(Struct, frozen=True, gc=False, kw_only=True):
    """One capture with all its detections; an event without detections is a blank picture or recording."""

    event_id: Uuid  # UUIDv7, set at capture (of a card: UUIDv8 of the content): delivered twice, it is stored once
    station: Name
    sensor: Name
    deployment: Name
    captured_at: Moment
    clock: Clock
    boot_id: Uuid
    sequence: Count  # counter within one boot: orders captures even if the clock is wrong
    capture: Literal["picture", "sound", "film"]  # film: since 1.2
    models: Annotated[tuple[Model, ...], Meta(max_length=MODELS)]
    detections: Annotated[tuple[Detection, ...], Meta(max_length=DETECTIONS)]
    media: Annotated[tuple[Media, ...], Meta(max_length=MEDIA)]
    schema: Schema = SCHEMA
    duration_s: Seconds = 0.0
    visit_id: Uuid | None = None  # shared by the captures of one visit: Camtrap DP's eventID
    location: Location | None = None
    simulated: bool | UnsetType = UNSET  # since 1.2: true if no sensor captured this, as in training and load tests
    imported_at: Moment | UnsetType = UNSET  # since 1.2: when its file was imported from a memory card
    chain: ChainLink | UnsetType = UNSET  # since 1.2
    signature: Signature | UnsetType = UNSET  # since 1.2; always the last field of the JSON object

    def __post_init__(self) -> None:
        names = {model.name for model in self.models}
        for detection in self.detections:
            classified = detection.classification
            for model in (detection.model, *((classified.model,) if classified else ())):
                if model not in names:
                    raise ValueError(f"detection {detection.ordinal} names model {model!r}, not among {sorted(names)}")
        ordinals = [detection.ordinal for detection in self.detections]
        if len(set(ordinals)) != len(ordinals):
            raise ValueError(f"duplicate ordinals of detections: {ordinals}")


class Status(Struct, frozen=True, gc=False, kw_only=True):
    """Connection status of a station, as a retained message; the MQTT last will sets ``state`` to offline."""

    station: Name
    state: Literal["online", "offline"]
    at: Moment
    schema: Schema = SCHEMA
    version: Annotated[str, Meta(max_length=50)] = ""
    name_contested: bool | UnsetType = UNSET  # since 1.2: another client of this name takes over the connection


class PassedOver(Struct, frozen=True, gc=False, kw_only=True):
    """Number of entries of one kind in a station's folders that are no captures: ".avi" files, "@eadir/" folders..."""

    kind: Text
    count: Count


class HeldMedia(Struct, frozen=True, gc=False, kw_only=True):
    """Media that wait on a station because of the budget of its link or of quiet hours."""

    reason: Literal["day", "month", "quiet hours"]
    until: Moment  # by the station's local time
    messages: Count
    size: Count  # bytes

    def __post_init__(self) -> None:
        if not is_representable(self.until):
            raise ValueError(f"held until {self.until.isoformat()}: expected a year that every zone can show")


class Health(Struct, frozen=True, gc=False, kw_only=True):
    """Periodic report of a station's clock, disk, memory, load, temperature and counters."""

    station: Name
    at: Moment
    boot_id: Uuid
    uptime_s: Uptime
    clock: Clock
    disk_free_bytes: Count
    waiting_messages: Count  # in the outbox, not yet acknowledged by the broker
    set_aside: Count  # unusable files and captures since the station was set up
    schema: Schema = SCHEMA
    memory_free_bytes: Count | None = None
    load_1min: Load | None = None
    temperature_c: Temperature | None = None
    evicted_media: Count = 0  # unsent media deleted to stay within the disk quota
    voice_clips_sent: Count = 0  # clips with speech that may leave the station, and
    voice_clips_dropped: Count = 0  # those that the voice policy withheld; both since the station was set up
    evicted_originals: Count = 0  # its own pictures and recordings deleted or not stored for lack of space, likewise
    passed_over: Annotated[tuple[PassedOver, ...], Meta(max_length=PASSED_OVER)] = ()  # since 1.2, most frequent first
    held_media: HeldMedia | UnsetType = UNSET  # since 1.2; absent: nothing is held


class Effort(Struct, frozen=True, gc=False, kw_only=True):
    """A time interval in which a sensor was watching, or in which it was not, with the reason in ``gap``."""

    effort_id: Uuid
    station: Name
    sensor: Name
    deployment: Name
    start: Moment
    end: Moment
    watching: bool
    schema: Schema = SCHEMA
    gap: Gap | None = None
    captures: Count = 0
    note: Note = ""
    imported_at: Moment | UnsetType = UNSET  # since 1.2, as in events

    def __post_init__(self) -> None:
        if self.end < self.start:
            raise ValueError(f"effort ends at {self.end}, before its start at {self.start}")
        if self.watching == (self.gap is not None):
            raise ValueError(
                f"effort has watching={self.watching} and gap {self.gap!r}: expected a gap if and only if not watching"
            )


class SetAside(Struct, frozen=True, gc=False, kw_only=True):
    """Report of a file that a station could not process, or processed although something is wrong with it."""

    report_id: Uuid
    station: Name
    sensor: Name
    at: Moment
    name: FileName
    reason: Note
    size: Count
    schema: Schema = SCHEMA
    analysed: bool = False  # since 1.2; True: its content was analysed all the same


class MediaContent(Struct, frozen=True, gc=False, kw_only=True):
    """Bytes of a thumbnail or clip, sent as a separate message in MessagePack."""

    event_id: Uuid
    station: Name
    sha256: Sha256
    type: Text
    role: MediaRole
    data: bytes
    schema: Schema = SCHEMA
