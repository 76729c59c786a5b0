"""Writes a Camtrap DP 1.0.2 package of a server's captures, with people's verdicts as observations."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

from casebook.verdicts import Verdict
from contract import Deployment, Event, Location
from contract.deployment import DeployedSensor
from contract.errors import InvalidInput
from i18n.taxonomy import Taxonomy, shipped_taxonomy
from ingest.store.port import EventQuery, ListedEvent
from pipelines.camtrap_dp.classified import Classified, classify
from pipelines.camtrap_dp.descriptor import PackageInfo, write_descriptor
from pipelines.camtrap_dp.positions import COARSE, COARSER, EXACT, Position, rounded
from pipelines.camtrap_dp.rows import SIMULATED, deployment_id, event_rows, media_rows, observation_rows
from pipelines.camtrap_dp.tables import DEPLOYMENTS, MEDIA, OBSERVATIONS, time_cell, truth_cell

PAGE = 1_000  # events read at once
_OPEN_VISIT = timedelta(hours=1)  # captures of one visit are closer than this
_NATIONAL = ("I", "II")
_Observed = tuple[Event, Sequence[Classified]]


class NothingToExport(InvalidInput):
    """No capture of the period can be exported; the message says why."""


class EventSource(Protocol):
    """Captures and deployments, as a detection store has them."""

    def listing(self, query: EventQuery) -> list[ListedEvent]:
        """See ``Store.listing``."""
        ...

    def deployments(self) -> list[Deployment]:
        """See ``Store.deployments``."""
        ...


class VerdictSource(Protocol):
    """Verdicts, as the casebook has them."""

    def verdicts_of(self, event_ids: Sequence[str]) -> Mapping[str, Sequence[Verdict]]:
        """Return the latest verdict on each detection, by event id."""
        ...


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """What is exported.

    Attributes:
        query: Which captures; ``after`` and ``limit`` are ignored.
        exact: Whether positions are exact instead of rounded.
        place: Position of deployments that report none; None: their captures are left out.
    """

    query: EventQuery = field(default_factory=EventQuery)
    exact: bool = False
    place: Location | None = None


@dataclass(slots=True)
class ExportReport:
    """What an export wrote, and what it left out.

    Attributes:
        deployments: Rows of deployments.
        media: Rows of media.
        observations: Rows of observations.
        left_out: Captures of deployments without a position, by deployment.
        simulated: Rows of deployments that are simulated.
    """

    deployments: int = 0
    media: int = 0
    observations: int = 0
    left_out: dict[str, int] = field(default_factory=dict)
    simulated: int = 0


@dataclass(frozen=True, slots=True)
class _Seen:
    """What the captures of one deployment say about it."""

    event: Event
    first: datetime
    last: datetime
    location: Location | None
    time_unknown: bool = False
    protected: bool = False


def write_package(
    folder: Path, source: EventSource, verdicts: VerdictSource, info: PackageInfo, options: ExportOptions
) -> ExportReport:
    """Write a package into an empty folder: datapackage.json and three tables.

    The descriptor is written last, so a folder without it is an interrupted export.

    Raises:
        NothingToExport: the folder is not empty, or no capture of the query has a position.
        StoreUnavailable: the store or the casebook does not answer.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise NothingToExport(f"{folder} is not empty: expected an empty folder")
    return _Export(folder, source, verdicts, info, options).run()


class _Export:
    def __init__(
        self, folder: Path, source: EventSource, verdicts: VerdictSource, info: PackageInfo, options: ExportOptions
    ) -> None:
        self._folder, self._source, self._verdicts, self._info, self._options = folder, source, verdicts, info, options
        self._taxonomy: Taxonomy = shipped_taxonomy()
        self._deployed = {(one.station, one.deployment): one for one in source.deployments()}
        self._seen: dict[str, _Seen] = {}
        self._taxa: set[str] = set()
        self._report = ExportReport()
        self._visits: dict[tuple[str, ...], list[_Observed]] = {}
        self._reached: dict[tuple[str, ...], datetime] = {}  # of each visit, the earliest time of listing so far

    def run(self) -> ExportReport:
        with ExitStack() as stack:
            media = stack.enter_context(_Table(self._folder / "media.csv", MEDIA))
            observations = stack.enter_context(_Table(self._folder / "observations.csv", OBSERVATIONS))
            for page in self._pages():
                verdicts = self._verdicts.verdicts_of([one.event.event_id for one in page])
                for one in page:
                    event = one.event
                    if self._is_left_out(event):
                        continue
                    found = classify(event, verdicts.get(event.event_id, ()), self._taxonomy)
                    self._note(one, found)
                    self._report.media += media.write(media_rows(event))
                    self._report.observations += observations.write(observation_rows(event, found))
                    self._visits.setdefault(_visit(event), []).append((event, found))
                    self._reached[_visit(event)] = one.listed_at
                for visit in self._closed(page[-1].listed_at):
                    self._report.observations += observations.write(event_rows(visit))
            for visit in self._visits.values():
                self._report.observations += observations.write(event_rows(visit))
        if not self._seen:
            raise NothingToExport(self._why_nothing())
        with _Table(self._folder / "deployments.csv", DEPLOYMENTS) as deployments:
            self._report.deployments = deployments.write(self._deployment_rows())
        self._report.simulated = sum(seen.event.simulated is True for seen in self._seen.values())
        write_descriptor(self._folder, self._info, self._places(), self._period(), sorted(self._taxa), self._taxonomy)
        return self._report

    def _pages(self) -> Iterator[list[ListedEvent]]:
        query = replace(self._options.query, limit=PAGE, after=None)
        while page := self._source.listing(query):
            yield page
            query = replace(query, after=page[-1].key)

    def _closed(self, reached: datetime) -> Iterator[list[_Observed]]:
        """Remove and yield visits to which no earlier capture than ``reached`` can belong."""
        closed = [name for name, earliest in self._reached.items() if earliest > reached + _OPEN_VISIT]
        for name in closed:
            del self._reached[name]
            yield self._visits.pop(name)

    def _location(self, event: Event) -> Location | None:
        deployed = self._deployed.get((event.station, event.deployment))
        return event.location or (deployed.location if deployed else None) or self._options.place

    def _is_left_out(self, event: Event) -> bool:
        if self._location(event) is not None:
            return False
        name = deployment_id(event)
        self._report.left_out[name] = self._report.left_out.get(name, 0) + 1
        return True

    def _note(self, one: ListedEvent, found: Sequence[Classified]) -> None:
        event, at = one.event, one.listed_at  # a wrong clock must not extend the deployment to 1970 or 2099
        name = deployment_id(event)
        self._taxa.update(claim.scientific_name for claim in found if claim.scientific_name)
        protected = any(
            entry.level in _NATIONAL for claim in found for entry in self._taxonomy.protection(claim.scientific_name)
        )
        end = at + timedelta(seconds=event.duration_s)
        seen = self._seen.get(name) or _Seen(event, at, end, self._location(event))
        self._seen[name] = replace(
            seen,
            first=min(seen.first, at),
            last=max(seen.last, end),
            time_unknown=seen.time_unknown or not event.clock.is_known,
            protected=seen.protected or protected,
        )

    def _position(self, seen: _Seen) -> Position:
        assert seen.location is not None  # noqa: S101, such captures were left out
        deployed = self._deployed.get((seen.event.station, seen.event.deployment))
        digits = EXACT if self._options.exact else COARSER if seen.protected else COARSE
        return rounded(seen.location, digits, deployed.coordinate_uncertainty_m if deployed else None)

    def _deployment_rows(self) -> Iterator[dict[str, object]]:
        for name, seen in sorted(self._seen.items()):
            event, position = seen.event, self._position(seen)
            deployed = self._deployed.get((event.station, event.deployment))
            sensor = next((one for one in deployed.sensors if one.name == event.sensor), None) if deployed else None
            yield {
                "deploymentID": name,
                "locationID": event.station,
                "locationName": deployed.location_name if deployed and self._options.exact else "",
                "latitude": position.latitude,
                "longitude": position.longitude,
                "coordinateUncertainty": position.uncertainty_m,
                "deploymentStart": time_cell(min(seen.first, (deployed and deployed.start) or seen.first)),
                "deploymentEnd": time_cell(max(seen.last, (deployed and deployed.end) or seen.last)),
                "setupBy": deployed.setup_by if deployed else "",
                "cameraID": event.sensor,
                "timestampIssues": truth_cell(seen.time_unknown or (deployed.timestamp_issues if deployed else None)),
                "baitUse": truth_cell(deployed.bait_use if deployed else None),
                "habitat": deployed.habitat if deployed else "",
                "deploymentTags": " | ".join(deployed.tags) if deployed else "",
                "deploymentComments": " | ".join(filter(None, self._comments(event, deployed))),
                **(_sensor_cells(sensor) if sensor else {}),
            }

    def _comments(self, event: Event, deployed: Deployment | None) -> Iterator[str]:
        yield SIMULATED if event.simulated is True else ""
        yield deployed.comments if deployed and self._options.exact else ""

    def _places(self) -> list[tuple[float, float]]:
        return [(at.longitude, at.latitude) for at in map(self._position, self._seen.values())]

    def _period(self) -> tuple[datetime, datetime]:
        return min(seen.first for seen in self._seen.values()), max(seen.last for seen in self._seen.values())

    def _why_nothing(self) -> str:
        if not self._report.left_out:
            return "no capture in this period"
        names = ", ".join(f"{name} ({count} captures)" for name, count in sorted(self._report.left_out.items()))
        return f"no position is known of {names}: expected a location in the station's settings, or a place for all"


def _visit(event: Event) -> tuple[str, ...]:
    return deployment_id(event), event.visit_id or event.event_id


def _sensor_cells(sensor: DeployedSensor) -> dict[str, object]:
    return {
        "cameraModel": sensor.model,
        "cameraHeight": "" if sensor.height_m is None else sensor.height_m,
        "cameraTilt": "" if sensor.tilt_deg is None else round(sensor.tilt_deg),
        "cameraHeading": "" if sensor.heading_deg is None else round(sensor.heading_deg),
    }


class _Table:
    """A CSV file with a header, open in a ``with`` block."""

    def __init__(self, path: Path, columns: tuple[str, ...]) -> None:
        self._path, self._columns = path, columns

    def __enter__(self) -> "_Table":
        self._file = self._path.open("w", encoding="utf-8", newline="")
        self._writer = csv.DictWriter(self._file, self._columns, restval="", lineterminator="\n")
        self._writer.writeheader()
        return self

    def write(self, rows: Iterator[dict[str, object]]) -> int:
        written = 0
        for row in rows:
            self._writer.writerow(row)
            written += 1
        return written

    def __exit__(self, *_: object) -> None:
        self._file.close()
