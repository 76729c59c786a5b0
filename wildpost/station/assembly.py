"""Builds a station from its settings."""

import contextlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any

import msgspec

from captures.time_zones import zone_named
from contract import DeployedSensor, Deployment
from contract.signing_key import open_key
from edge.capture.camera import CameraSource
from edge.capture.folder import FolderSource
from edge.capture.microphone import MicrophoneSource
from edge.capture.originals import Originals, Recordings
from edge.capture.port import Source
from edge.capture.triggers import SilenceTrigger
from edge.deployment import deployment_record
from edge.event_chain import EventChain
from edge.instance_lock import instance_lock
from edge.link_budget import LinkBudget, waiting_topics
from edge.outbox.outbox import Outbox
from edge.sensor import Sensor
from edge.station import Station, StationOptions
from models.factory import open_birdnet, open_classifier, open_threat, open_vision
from models.port import Classifier, Detector
from models.registry import Registry, load_registry
from wildpost.settings.station import LOOKING, SensorOptions, StationSettings
from wildpost.station.remote import AssembledStation, Changeable, remote_station


def station_folder(settings: StationSettings, data: Path) -> Path:
    """Return the folder, inside the data folder, for the outbox and the recordings of a station."""
    return data / "stations" / settings.station.name


@contextlib.contextmanager
def assembled(
    settings: StationSettings,
    beside: Path,
    data: Path,
    restart: Callable[[], object] = lambda: None,
    changeable: Changeable | None = None,
) -> Iterator[AssembledStation]:
    """Build a station, its publisher and their common outbox; close the outbox when the context ends.

    Args:
        settings: The station's settings.
        beside: The folder that paths in the settings are relative to.
        data: The data folder of this machine.
        restart: Ends the run of the station so that it is built anew; for a command of the server.
        changeable: Settings that the server may change; None: none.

    Raises:
        WeightsError: weights of a detector or of the classifier are missing or their hash does not match.
        SiteListError: the classifier's list of species cannot be used.
        OutboxError: the outbox file is not usable.
        SigningKeyError: the file of the station's key is not usable.
        StationRunning: another process runs this station.
    """
    folder = station_folder(settings, data)
    with (
        instance_lock(folder),
        contextlib.closing(Outbox(folder / "outbox.sqlite", settings.station.media_quota_bytes)) as outbox,
    ):
        wanted = {name for sensor in settings.sensors for name in sensor.detectors}
        detectors = {name: open_detector(name, settings, beside, data) for name in sorted(wanted)}
        classifier = open_station_classifier(settings, beside, data) if wanted & LOOKING else None
        originals = {options.name: _originals(options, outbox, folder) for options in settings.sensors}
        sensors = [
            Sensor(
                options.name,
                _source(options, settings, outbox, beside, originals[options.name]),
                looking=[detectors[name] for name in options.detectors if name in LOOKING],
                listening=[detectors[name] for name in options.detectors if name not in LOOKING],
                visit_gap_s=options.visit_gap_s,
                triggered=SilenceTrigger(options.silence_db),
                recordings=_recordings(options, originals[options.name]),
                originals=originals[options.name],
                classifier=classifier,
            )
            for options in settings.sensors
        ]
        key = open_key(folder / "chain.key")
        topics = waiting_topics(settings.broker.prefix, settings.station.name)
        links = LinkBudget(settings.links, settings.station.recorders_zone, topics, outbox)
        station = Station(
            settings.station,
            settings.broker.prefix,
            sensors,
            outbox,
            voice=settings.voice,
            deployment=deployment_of(settings, datetime.now(UTC)),
            chain=EventChain(key, outbox),
            links=links,
        )
        yield remote_station(settings, data, station, outbox, links, key, originals, restart, changeable)


def open_detector(name: str, settings: StationSettings, beside: Path, data: Path) -> Detector[Any, Any]:
    """Open a detector by its name in the ``detectors`` of a sensor's settings.

    Raises:
        WeightsError: its weights are missing or their hash does not match.
        ValueError: a setting names a class that the detector does not have.
    """
    if name == "vision":
        registry, weights = _vision_places(settings, beside, data)
        return open_vision(settings.vision.model, weights, settings.vision.options, registry)
    if name == "birdnet":
        cache = settings.birdnet.cache or str(data / "cache")
        return open_birdnet(msgspec.structs.replace(settings.birdnet, cache=cache))
    own = [beside / settings.threat.registry] if settings.threat.registry else []
    return open_threat(settings.threat.model, data / "models", settings.threat, load_registry(*own))


def open_station_classifier(settings: StationSettings, beside: Path, data: Path) -> Classifier | None:
    """Open the classifier that the table ``[vision]`` names; return None if the table names none.

    Raises:
        WeightsError: its weights or labels are missing or not the right ones.
        SiteListError: the list of species cannot be used.
    """
    vision = settings.vision
    if not vision.classifier:
        return None
    registry, weights = _vision_places(settings, beside, data)
    site_list = beside / vision.site_list if vision.site_list else None
    return open_classifier(vision.classifier, weights, vision.classifier_options, registry, site_list)


def _vision_places(settings: StationSettings, beside: Path, data: Path) -> tuple[Registry, Path]:
    vision = settings.vision
    registry = load_registry(*([beside / vision.registry] if vision.registry else []))
    return registry, beside / vision.weights if vision.weights else data / "models"


def deployment_of(settings: StationSettings, at: datetime) -> Deployment:
    """Build the deployment record of a station from the station's settings."""
    sensors = [
        DeployedSensor(
            name=sensor.name,
            kind=sensor.kind,
            model=sensor.mounting.model,
            height_m=sensor.mounting.height_m,
            tilt_deg=sensor.mounting.tilt_deg,
            heading_deg=sensor.mounting.heading_deg,
        )
        for sensor in settings.sensors
    ]
    return deployment_record(settings.station, settings.deployment, sensors, at)


def recorder_zone(sensor: SensorOptions, station: StationOptions) -> tzinfo:
    """Return the time zone of the clock that writes the files in a sensor's folder."""
    return zone_named(sensor.time_zone) if sensor.time_zone else station.recorders_zone


def _source(
    options: SensorOptions, settings: StationSettings, outbox: Outbox, beside: Path, originals: Originals | None
) -> Source:
    station = settings.station
    if options.source == "camera":
        assert originals is not None, "a camera stores its pictures"  # noqa: S101
        return CameraSource(options.camera, originals)
    if options.source == "microphone":
        return MicrophoneSource(options.microphone, station.location)
    return FolderSource(
        beside / options.folder,
        outbox.mark_of,
        recorder_zone(options, station),
        station.location,
        options.stretch_s,
        deployed=settings.deployment.start,
        last_mark=outbox.last_mark,
        note=outbox.path.with_name(f"{options.name}.examined"),
        marks_alike=outbox.marks_alike,
        sees=bool(LOOKING & set(options.detectors)),
        hears=bool(set(options.detectors) - LOOKING),
    )


def _originals(options: SensorOptions, outbox: Outbox, folder: Path) -> Originals | None:
    if options.source == "folder" or (options.source == "microphone" and options.microphone.originals == "none"):
        return None

    def count(number: int) -> None:
        outbox.commit([], evicted_originals=number)

    return Originals(folder / options.name, options.originals_quota_bytes, count)


def _recordings(options: SensorOptions, originals: Originals | None) -> Recordings | None:
    if options.source != "microphone" or originals is None:
        return None
    return Recordings(originals, options.microphone.originals)
