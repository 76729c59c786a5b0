"""A simulated station: the messages that it would send, signed and chained as those of a real one."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from contract import (
    Clock,
    DeployedSensor,
    Deployment,
    Effort,
    Event,
    Health,
    Media,
    MediaContent,
    Record,
    SetAside,
    Status,
    encode,
    topic_of,
)
from contract.codec import kind_of
from contract.deployment import SensorKind
from contract.messages import Gap
from edge.event_chain import EventChain
from wildpost.simulation.captures import CLIP_S, LOCAL, CaptureSource, DrawnCapture, drawn_uuid
from wildpost.simulation.faults import draw_faults
from wildpost.simulation.plan import FleetOptions, StationPlan
from wildpost.simulation.statistics import Statistics

_HOUR = timedelta(hours=1)
_LINK = timedelta(seconds=3)  # from a capture to its arrival
_UNSET_CLOCK = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class SentMessage:
    """A message of a simulated station.

    Attributes:
        at: When it arrives at the server.
        station: The station.
        topic: MQTT topic.
        payload: Encoded message.
        retain: Whether the broker keeps it for later subscribers.
        false_finding: Id of the event, if nothing was there in truth; else "".
    """

    at: datetime
    station: str
    topic: str
    payload: bytes
    retain: bool = False
    false_finding: str = ""


@dataclass(slots=True)
class _ChainMemory:
    """The memory of an outbox, of which an ``EventChain`` reads the place of the last event."""

    values: dict[str, str] = field(default_factory=dict)

    def remembered(self, name: str) -> str | None:
        """See ``Outbox.remembered``."""
        return self.values.get(name)


@dataclass(slots=True)
class _Sensor:
    """A sensor with its open effort interval: since when, in which state, and how many captures."""

    name: SensorKind
    since: datetime | None = None
    gap: Gap | None = None
    captures: int = 0


class SimulatedStation:
    """Produces the messages of one station; equal arguments give equal messages."""

    def __init__(self, plan: StationPlan, statistics: Statistics, options: FleetOptions) -> None:
        """Draw what lasts: the key, the faults, and how frequent each finding is at this station."""
        start, hours, seed = options.start, options.hours, options.seed
        self._plan, self._statistics = plan, statistics
        self._prefix, self._reports = options.prefix, options.reports
        self._start, self._hours = start, hours
        self._random = Random(f"{seed}/{start.isoformat()}/{plan.name}")  # noqa: S311, not a secret
        random = self._random
        self._memory = _ChainMemory()
        key = Ed25519PrivateKey.from_private_bytes(Random(f"{seed}/{plan.name}").randbytes(32))  # noqa: S311
        self._chain = EventChain(key, self._memory, self._new_id(start))
        self._faults = draw_faults(plan.role, start, start + hours * _HOUR, random)
        self._source = CaptureSource(plan.sensors, statistics, random, options.busyness)
        self._sensors = [_Sensor(name) for name in plan.sensors]
        self._deployment = f"{plan.name}-{start.year}"
        self._boot_id, self._booted_at, self._sequence = "", start, 0
        self._set_aside, self._disk_free = 0, 48_000_000_000

    def messages(self) -> Iterator[SentMessage]:
        """Yield the messages in the order in which they arrive."""
        on = False
        off_since: datetime | None = None
        captures: Mapping[datetime, Sequence[DrawnCapture]] = {}
        for number in range(self._hours):
            hour = self._start + number * _HOUR
            if (hour + LOCAL).hour == 0 or number == 0:
                captures = self._source.draw_day(hour)
            if self._faults.is_off(hour):
                if on:
                    yield self._sent(hour, Status(station=self._plan.name, state="offline", at=hour))
                    on, off_since = False, hour
                continue
            if not on:
                yield from self._boot(hour, off_since)
                on = True
            yield from self._hour(hour, captures.get(hour, ()), last=self._ends_after(number))

    def _ends_after(self, number: int) -> bool:
        following = self._start + (number + 1) * _HOUR
        return number + 1 == self._hours or self._faults.is_off(following)

    def _boot(self, hour: datetime, off_since: datetime | None) -> Iterator[SentMessage]:
        plan = self._plan
        self._boot_id, self._booted_at, self._sequence = self._new_id(hour), hour, 0
        yield self._sent(hour, Status(station=plan.name, state="online", at=hour, version="simulation"))
        yield self._sent(
            hour,
            Deployment(
                station=plan.name,
                deployment=self._deployment,
                at=hour,
                sensors=tuple(DeployedSensor(name=name, kind=name, height_m=1.2) for name in plan.sensors),
                evidence_use="lead",
                start=self._start,
                location=plan.location,
                location_name=plan.location_name,
                setup_by="simulation",
                habitat=plan.habitat,
                simulated=True,
            ),
        )
        for sensor in self._sensors:
            if off_since is not None:
                yield self._sent(hour, self._effort(sensor.name, off_since, hour, "off", 0))

    def _hour(self, hour: datetime, captures: Sequence[DrawnCapture], last: bool) -> Iterator[SentMessage]:
        end = hour + _HOUR
        covered = self._plan.sensors[0] if self._faults.is_blind(hour) else None
        for sensor in self._sensors:
            gap: Gap | None = None if sensor.name != covered else "blind" if covered == "camera" else "deaf"
            if sensor.since is not None and gap != sensor.gap:
                yield self._close(sensor, hour)
            if sensor.since is None:
                sensor.since, sensor.gap, sensor.captures = hour, gap, 0
        for capture in captures:
            if capture.sensor != covered:
                yield from self._capture(capture)
        now = end - timedelta(seconds=1)
        for sensor in self._sensors:
            if last or (sensor.since is not None and end - sensor.since >= self._reports.effort_h * _HOUR):
                yield self._close(sensor, end)
        if self._random.random() < 0.0002:  # about twice a year
            self._set_aside += 1
            yield self._sent(now, self._unreadable_file(now))
        due = last or (end - self._start) // _HOUR % self._reports.health_h == 0
        if due and not self._faults.has_no_clock(hour):
            yield self._sent(now, self._health(now))

    def _close(self, sensor: _Sensor, end: datetime) -> SentMessage:
        assert sensor.since is not None  # noqa: S101, the caller has checked it
        closed = self._effort(sensor.name, sensor.since, end, sensor.gap, sensor.captures)
        sensor.since, sensor.captures = None, 0
        return self._sent(end - timedelta(seconds=1), closed)

    def _effort(self, sensor: str, start: datetime, end: datetime, gap: Gap | None, captures: int) -> Effort:
        return Effort(
            effort_id=self._new_id(start),
            station=self._plan.name,
            sensor=sensor,
            deployment=self._deployment,
            start=start,
            end=end,
            watching=gap is None,
            gap=gap,
            captures=captures,
        )

    def _capture(self, one: DrawnCapture) -> Iterator[SentMessage]:
        next(sensor for sensor in self._sensors if sensor.name == one.sensor).captures += 1
        self._sequence += 1
        self._disk_free = max(2_000_000_000, self._disk_free - 2_500_000)
        wrong = self._faults.has_no_clock(one.at)
        event_id = self._new_id(one.at)
        detections = self._source.detections(one)
        media: tuple[Media, ...] = ()
        content = b""
        if one.sensor == "camera":
            media = (
                Media(
                    sha256=self._random.randbytes(32).hex(),
                    type="image/jpeg",
                    size=self._random.randrange(1_500_000, 3_500_000),
                    role="original",
                    name=f"SIM_{self._sequence % 10_000:04}.JPG",
                ),
            )
            if detections:
                content = self._source.thumbnail(one, detections)
                digest = hashlib.sha256(content).hexdigest()
                media += (Media(sha256=digest, type="image/jpeg", size=len(content), role="thumbnail"),)
        event = Event(
            event_id=event_id,
            station=self._plan.name,
            sensor=one.sensor,
            deployment=self._deployment,
            captured_at=_UNSET_CLOCK + (one.at - self._booted_at) if wrong else one.at,
            clock=Clock(source="none", synchronised=False)
            if wrong
            else Clock(source="ntp", synchronised=True, error_s=0.05),
            boot_id=self._boot_id,
            sequence=self._sequence,
            capture="picture" if one.sensor == "camera" else "sound",
            models=(self._statistics.model,),
            detections=detections,
            media=media,
            duration_s=0.0 if one.sensor == "camera" else CLIP_S,
            visit_id=one.visit_id if one.sensor == "camera" else None,
            location=self._plan.location,
            simulated=True,
        )
        with self._chain.linked(event) as (payload, memory):
            self._memory.values.update(memory)
        topic = topic_of(self._prefix, self._plan.name, "event")
        at = self._faults.arrival(one.at + _LINK)
        yield SentMessage(at, self._plan.name, topic, payload, false_finding=event_id if one.false else "")
        if content:
            sent = MediaContent(
                event_id=event_id,
                station=self._plan.name,
                sha256=media[1].sha256,
                type="image/jpeg",
                role="thumbnail",
                data=content,
            )
            yield self._sent(one.at + _LINK, sent)

    def _health(self, at: datetime) -> Health:
        local = at + LOCAL
        warmth = 27 - 4 * abs(local.month - 7) - 0.8 * abs(local.hour - 14)
        return Health(
            station=self._plan.name,
            at=at,
            boot_id=self._boot_id,
            uptime_s=(at - self._booted_at).total_seconds(),
            clock=Clock(source="ntp", synchronised=True, error_s=0.05),
            disk_free_bytes=self._disk_free,
            waiting_messages=0,
            set_aside=self._set_aside,
            memory_free_bytes=self._random.randrange(300_000_000, 600_000_000),
            load_1min=round(self._random.uniform(0.1, 1.2), 2),
            temperature_c=round(warmth + 20 + self._random.uniform(-3, 3), 1),
        )

    def _unreadable_file(self, at: datetime) -> SetAside:
        return SetAside(
            report_id=self._new_id(at),
            station=self._plan.name,
            sensor=self._plan.sensors[0],
            at=at,
            name=f"SIM_{self._sequence % 10_000:04}.JPG",
            reason="simulated: not a picture: the file is empty",
            size=0,
        )

    def _sent(self, at: datetime, record: Record) -> SentMessage:
        topic = topic_of(self._prefix, self._plan.name, kind_of(record))
        retain = isinstance(record, Status)
        return SentMessage(self._faults.arrival(at), self._plan.name, topic, encode(record), retain)

    def _new_id(self, at: datetime) -> str:
        return drawn_uuid(at, self._random)
