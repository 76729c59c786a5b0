"""Main loop of a station: one thread for each sensor captures, detects and writes messages to the outbox."""

import logging
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta, Struct

from captures.decoded import Sound, Unreadable
from captures.time_zones import zone_named
from contract import Deployment, Effort, Event, Health, Location, encode, new_event_id, topic_of
from contract.bounds import Name
from contract.errors import WildpostError
from contract.messages import Gap
from contract.supervision import describe_exception
from edge.capture.clip import AlreadyHeard, Clip, Unusable
from edge.capture.newest_original import check_newest, newest_original
from edge.capture.port import SourceLost
from edge.capture.visits import Visits, scores_of
from edge.detect import companion, media_of, voice_in
from edge.effort import EffortLog
from edge.event_chain import EventChain
from edge.file_failures import FileFailures, unreadable
from edge.file_reports import FileReports
from edge.films import examine_capture
from edge.findings import Findings
from edge.health import health
from edge.link_budget import LinkBudget
from edge.media_rank import is_urgent, media_message, sharpness_of
from edge.outbox.outbox import Outbox, OutboxFull, OutboxMessage
from edge.report_queue import ReportQueue
from edge.sensor import Sensor
from edge.sensor_states import SensorStates
from edge.time_ranges import TimeRanges
from models.threat.voice import VoiceOptions
from models.visit_votes import VisitVotes

LOG = logging.getLogger("wildpost.station")
RETRY_FIRST_S, RETRY_MAX_S = 1.0, 300.0
ATTEMPTS_ONCE = 3  # with ``once`` a user is waiting: stop retrying a source after this many consecutive losses


class StationOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Name, position and reporting intervals of a station.

    Attributes:
        name: Unique in the reserve; part of the MQTT topics and of the client id.
        deployment: Id of the current deployment; use a new one when the station moves.
        latitude: WGS 84, decimal degrees; without it neither location rules nor location priors are used.
        longitude: WGS 84, decimal degrees.
        utc_offset: UTC offset of the clocks of cameras and recorders, for files that do not state one.
        time_zone: Zone of these clocks instead, with summer time: an IANA name such as "Europe/Berlin"; "": utc_offset.
        health_s: Interval between two health messages, in seconds.
        effort_s: Longest interval that one effort message covers, in seconds.
        media_quota_bytes: Disk quota for unsent thumbnails and clips; beyond it the least valuable are deleted.
    """

    name: Name
    deployment: Name
    latitude: Annotated[float, Meta(ge=-90, le=90)] | None = None
    longitude: Annotated[float, Meta(ge=-180, le=180)] | None = None
    utc_offset: Annotated[str, Meta(pattern=r"\A[+-]\d\d:\d\d\Z")] = "+08:00"
    time_zone: Annotated[str, Meta(max_length=100)] = ""
    health_s: Annotated[float, Meta(gt=0)] = 300
    effort_s: Annotated[float, Meta(gt=0)] = 3600
    media_quota_bytes: Annotated[int, Meta(ge=0)] = 2_000_000_000

    def __post_init__(self) -> None:
        if (self.latitude is None) != (self.longitude is None):
            raise ValueError("latitude and longitude: expected both or neither")
        if int(self.utc_offset[1:3]) > 14 or int(self.utc_offset[4:]) > 59:
            raise ValueError(f"utc_offset {self.utc_offset!r}: expected -14:59 to +14:59")
        if self.time_zone:
            zone_named(self.time_zone)  # raises for an unknown zone

    @property
    def recorders_zone(self) -> tzinfo:
        """Time zone of the clocks of cameras and recorders."""
        if self.time_zone:
            return zone_named(self.time_zone)
        sign = -1 if self.utc_offset[0] == "-" else 1
        return timezone(sign * timedelta(hours=int(self.utc_offset[1:3]), minutes=int(self.utc_offset[4:])))

    @property
    def location(self) -> Location | None:
        """Position of the station, or None if it is not configured."""
        if self.latitude is None or self.longitude is None:
            return None
        return Location(latitude=self.latitude, longitude=self.longitude)


class Station:
    """A station: reads its sensors, runs the detectors and writes messages to the outbox."""

    def __init__(
        self,
        options: StationOptions,
        prefix: str,
        sensors: Sequence[Sensor],
        outbox: Outbox,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        voice: VoiceOptions | None = None,
        deployment: Deployment | None = None,
        chain: EventChain | None = None,
        links: LinkBudget | None = None,
    ) -> None:
        """Store the options, the sensors and the outbox; ``run`` starts the sensors.

        ``now`` returns the current time in UTC; ``voice`` is the policy for clips with speech;
        ``deployment`` is sent once, at the start; ``chain`` signs the events; ``links`` says what waits for its budget.
        """
        self._options = options
        self._prefix = prefix
        self._sensors = sensors
        self._outbox = outbox
        self._now = now
        self._voice = voice or VoiceOptions()
        self._deployment = deployment
        self._chain, self._links = chain, links
        self._boot_id = new_event_id()
        self._sequence = 0
        self._lock = threading.Lock()
        self._report_queue = ReportQueue(outbox, prefix, options.name)
        self._recordings: set[str] = set()
        self._failures = FileFailures()
        self._reports = FileReports(options.name, self._topic("setaside"), now)
        self.sensor_states = SensorStates()
        self.pictures = 0
        self.given_up: dict[str, str] = {}  # reason by sensor; only with ``once``

    @property
    def recordings(self) -> int:
        """Number of processed recordings; a recording that was cut into stretches counts once."""
        return len(self._recordings)

    def run(self, stop: threading.Event, once: bool = False, folder: Path = Path()) -> None:
        """Run all sensors until ``stop`` is set, or until every source has ended or failed too often.

        Args:
            stop: Set to end the run.
            once: End when every source has yielded all that is available.
            folder: A folder on the disk whose free space is reported.

        Raises:
            WildpostError: a sensor cannot work with these settings; it stops the others too.
            Exception: with ``once``, an unexpected exception; otherwise the sensor is restarted after a pause.
        """
        self._report_queue.put([self._deployment] if self._deployment else [])
        with ThreadPoolExecutor(max_workers=len(self._sensors), thread_name_prefix="sensor") as threads:
            watching = [threads.submit(self._watch, sensor, stop, once) for sensor in self._sensors]
            unfinished: set[Future[None]] = set(watching)
            while unfinished:
                self._send(self._health(folder))
                done, unfinished = wait(unfinished, self._options.health_s, FIRST_COMPLETED)
                if any(one.exception() for one in done):
                    stop.set()
        self._send(self._health(folder))
        for one in watching:
            one.result()

    def _watch(self, sensor: Sensor, stop: threading.Event, once: bool) -> None:
        sent = TimeRanges.from_text(self._outbox.remembered(f"effort {sensor.name}"))
        effort = EffortLog(self._options.name, sensor.name, self._options.deployment, self._now(), sent)
        visits = Visits(sensor.visit_gap_s, self._outbox.visits_around)
        votes = VisitVotes(sensor.classifier) if sensor.classifier else None
        for unusable in check_newest(sensor.name, sensor.originals, self._outbox.remembered):
            self._set_aside(sensor, unusable)
        pause_s, losses = RETRY_FIRST_S, 0
        while not stop.is_set():
            try:
                for capture in sensor.source.captures(stop, once):
                    self.sensor_states.watched(sensor.name)
                    kept = capture is not None and self._take(sensor, capture, visits, votes)
                    if kept or effort.gap != "disk":  # the gap "disk" ends with the next stored capture
                        self._tell_effort(sensor, effort, effort.set_state(self._now()))
                        pause_s = RETRY_FIRST_S
                    if kept:
                        effort.count_capture()
                        losses = 0
                    self._tell_effort(sensor, effort, effort.close_if_due(self._now(), self._options.effort_s))
                break
            except SourceLost as lost:
                self._lose(sensor, effort, lost.gap, str(lost))
                losses += 1
                if once and losses == ATTEMPTS_ONCE:
                    self.given_up[sensor.name] = str(lost)
                    break
            except OutboxFull as full:
                self._lose(sensor, effort, "disk", str(full))
            except Exception as error:
                if once or isinstance(error, WildpostError):
                    raise
                LOG.exception("%s failed", sensor.name)
                self._lose(sensor, effort, "broken", f"an unexpected error: {describe_exception(error)}")
            self._tell_effort(sensor, effort, effort.close_if_due(self._now(), self._options.effort_s))
            stop.wait(pause_s)
            pause_s = min(2 * pause_s, RETRY_MAX_S)
        self._tell_effort(sensor, effort, effort.close(self._now()))
        if effort.undated_s:
            LOG.warning("%s: %.0f s are not reported: the clock was never set", sensor.name, effort.undated_s)

    def _lose(self, sensor: Sensor, effort: EffortLog, gap: Gap, why: str) -> None:
        self.sensor_states.lost(sensor.name, gap)
        if effort.gap != gap:  # logged once, not at every attempt
            LOG.error("%s: %s; retrying", sensor.name, why)
        self._tell_effort(sensor, effort, effort.set_state(self._now(), gap, why))

    def _take(
        self, sensor: Sensor, capture: Clip | AlreadyHeard | Unusable, visits: Visits, votes: VisitVotes | None
    ) -> bool:
        """Store the results of a capture, or set it aside as unusable; return False if its file was removed."""
        if isinstance(capture, Unusable):
            self._set_aside(sensor, capture)
            return True
        if isinstance(capture, AlreadyHeard):
            self._outbox.commit([], capture.mark)
            return False
        try:
            found = self._examine(sensor, capture, visits, votes) if sensor.triggered(capture) else Findings()
        except Unreadable as error:
            self._set_aside(sensor, unreadable(capture, error))
            return True
        except FileNotFoundError:
            return False
        except OSError as error:
            raise SourceLost("broken", f"{capture.name}: {error.strerror or error}") from error
        except Exception as error:
            if isinstance(error, WildpostError):
                raise
            self._set_aside(sensor, self._failures.record(capture, error))
            return True
        remarks = self._reports.remarks(sensor.name, capture)
        if found.event is None:
            self._outbox.commit(remarks, capture.mark)
        else:
            with self._linked(found.event) as (payload, head):
                messages = [OutboxMessage(self._topic("event"), payload, found.priority), *found.media, *remarks]
                memory = {**found.memory, **head}
                self._outbox.commit(messages, capture.mark, found.visit, memory, events=1, **found.voices)
        self._count(capture)
        return True

    def _linked(self, event: Event) -> AbstractContextManager[tuple[bytes, Mapping[str, str]]]:
        return self._chain.linked(event) if self._chain else nullcontext((encode(event), {}))

    def _examine(self, sensor: Sensor, clip: Clip, visits: Visits, votes: VisitVotes | None) -> Findings:
        """Run the detectors on a capture, and return what to store."""
        detectors = sensor.detectors_for(clip)
        # Captures before and after a restart have the same times if the clock was not set: they share no visit.
        series = sensor.name if clip.clock.source != "none" else f"{sensor.name} {self._boot_id}"
        visit = visits.visit_of(series, clip.captured_at)
        if (classifier := None if isinstance(clip.content, Sound) else votes) is not None:
            classifier.enter(visit.visit_id)
        found, clip, beside = examine_capture(detectors, clip, classifier, self._options.location)
        may_leave, voices = voice_in(clip, found, self._voice)
        if may_leave and not beside:
            beside = tuple(filter(None, [companion(clip, found)]))
        if sensor.recordings is not None:
            clip = sensor.recordings.store(clip, found, may_leave)
        scores = scores_of(found, sharpness_of(*beside[:1]))
        with self._lock:
            self._sequence += 1
            sequence = self._sequence
        event = Event(
            event_id=new_event_id(),
            station=self._options.name,
            sensor=sensor.name,
            deployment=self._options.deployment,
            captured_at=clip.captured_at,
            clock=clip.clock,
            boot_id=self._boot_id,
            sequence=sequence,
            capture=clip.kind,
            models=tuple(used.model for used in (*detectors, classifier) if used is not None),
            detections=tuple(found),
            media=media_of(clip, beside),
            duration_s=round(clip.duration_s, 3),
            visit_id=visit.visit_id,
            location=self._options.location,
        )
        improves = visit.improved_by(scores)
        media = [media_message(self._topic("media"), event, one, improves) for one in beside]
        visit = visit.with_capture(clip.captured_at, scores, event.duration_s)
        priority = 0 if is_urgent(found) else 1
        return Findings(event, priority, media, visit, voices, newest_original(sensor.name, clip))

    def _set_aside(self, sensor: Sensor, unusable: Unusable) -> None:
        self._outbox.commit([self._reports.set_aside(sensor.name, unusable)], unusable.mark, set_aside=1)

    def _count(self, clip: Clip) -> None:
        with self._lock:
            if not isinstance(clip.content, Sound):
                self.pictures += 1
            else:
                self._recordings.add(clip.mark.path if clip.mark else clip.name)

    def _tell_effort(self, sensor: Sensor, effort: EffortLog, closed: Sequence[Effort]) -> None:
        if closed:
            self._report_queue.put(closed, {f"effort {sensor.name}": effort.sent.to_text()})

    def _health(self, folder: Path) -> OutboxMessage:
        return OutboxMessage(self._topic("health"), encode(self.health(folder)), priority=2)

    def health(self, folder: Path) -> Health:
        """Return the current health of the station; ``folder`` is on the disk whose free space is reported."""
        passed_over: Counter[str] = Counter()
        for sensor in self._sensors:
            passed_over.update(sensor.passed_over)
        held = self._links.held_media() if self._links else None
        return health(self._options.name, self._boot_id, self._now(), self._outbox, folder, passed_over, held)

    def _send(self, message: OutboxMessage) -> None:
        """Store a health message in the outbox; on a full disk, drop it, since the next one replaces it."""
        try:
            self._outbox.commit([message])
        except OutboxFull as full:
            LOG.error("%s", full)

    def _topic(self, kind: Any) -> str:
        return topic_of(self._prefix, self._options.name, kind)
