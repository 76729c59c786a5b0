"""Builds a station from its settings."""

import contextlib
from collections.abc import Iterator
from datetime import datetime, tzinfo
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec

from edge.capture.camera import CameraSource
from edge.capture.folder import FolderSource
from edge.capture.microphone import MicrophoneSource
from edge.capture.originals import Originals, Recordings
from edge.capture.port import Source
from edge.capture.triggers import SilenceTrigger
from edge.instance_lock import instance_lock
from edge.outbox.outbox import Outbox
from edge.station import Sensor, Station, StationOptions
from edge.transport.mqtt.publisher import Publisher
from edge.transport.port import Transport
from models.birdnet import BirdNet
from models.factory import open_vision
from models.port import Detector
from models.registry import load_registry
from models.threat import ThreatSounds
from wildpost.settings.station import LOOKING, SensorOptions, StationSettings


def station_folder(settings: StationSettings, data: Path) -> Path:
    """Return the folder of a station in the data folder; it holds the outbox and the station's own recordings."""
    return data / "stations" / settings.station.name


@contextlib.contextmanager
def assembled(settings: StationSettings, beside: Path, data: Path) -> Iterator[tuple[Station, Transport, Outbox]]:
    """Build a station, its publisher and the outbox that both use; the outbox is closed at the end.

    Args:
        settings: The station's settings.
        beside: The folder that paths in the settings are relative to.
        data: The data folder of this machine.

    Raises:
        WeightsError: a detector's weights are missing or their hash does not match.
        OutboxError: the outbox file is not usable.
        StationRunning: another process runs this station.
    """
    folder = station_folder(settings, data)
    with (
        instance_lock(folder),
        contextlib.closing(Outbox(folder / "outbox.sqlite", settings.station.media_quota_bytes)) as outbox,
    ):
        wanted = {name for sensor in settings.sensors for name in sensor.detectors}
        detectors = {name: open_detector(name, settings, beside, data) for name in sorted(wanted)}
        sensors = [
            Sensor(
                options.name,
                _source(options, settings.station, outbox, beside, folder),
                looking=[detectors[name] for name in options.detectors if name in LOOKING],
                listening=[detectors[name] for name in options.detectors if name not in LOOKING],
                visit_gap_s=options.visit_gap_s,
                triggered=SilenceTrigger(options.silence_db),
                recordings=_recordings(options, outbox, folder),
            )
            for options in settings.sensors
        ]
        publisher = Publisher(settings.broker, settings.station.name, outbox, version("wildpost"))
        station = Station(settings.station, settings.broker.prefix, sensors, outbox, voice=settings.voice)
        yield station, publisher, outbox


def open_detector(name: str, settings: StationSettings, beside: Path, data: Path) -> Detector[Any, Any]:
    """Open a detector by its name in a sensor's ``detectors``.

    Raises:
        WeightsError: its weights are missing or their hash does not match.
        ValueError: a setting names a class that the detector does not have.
    """
    if name == "vision":
        own = [beside / settings.vision.registry] if settings.vision.registry else []
        registry = load_registry(*own)
        weights = beside / settings.vision.weights if settings.vision.weights else data / "models"
        return open_vision(settings.vision.model, weights, settings.vision.options, registry)
    if name == "birdnet":
        cache = settings.birdnet.cache or str(data / "cache")
        return BirdNet(msgspec.structs.replace(settings.birdnet, cache=cache))
    own = [beside / settings.threat.registry] if settings.threat.registry else []
    return ThreatSounds(settings.threat, data / "models", settings.threat.model, load_registry(*own))


def recorders_zone(station: StationOptions) -> tzinfo:
    """Return the time zone of the clocks of cameras and recorders."""
    zone = datetime.fromisoformat(f"2026-01-01T00:00:00{station.utc_offset}").tzinfo
    assert zone is not None  # noqa: S101, the settings loader has checked the offset
    return zone


def _source(options: SensorOptions, station: StationOptions, outbox: Outbox, beside: Path, folder: Path) -> Source:
    if options.source == "camera":
        return CameraSource(options.camera, _originals(options, outbox, folder))
    if options.source == "microphone":
        return MicrophoneSource(options.microphone, station.location)
    zone = recorders_zone(station)
    return FolderSource(beside / options.folder, outbox.mark_of, zone, station.location, options.stretch_s)


def _originals(options: SensorOptions, outbox: Outbox, folder: Path) -> Originals:
    def count(number: int) -> None:
        outbox.commit([], evicted_originals=number)

    return Originals(folder / options.name, options.originals_quota_bytes, count)


def _recordings(options: SensorOptions, outbox: Outbox, folder: Path) -> Recordings | None:
    if options.source != "microphone" or options.microphone.originals == "none":
        return None
    return Recordings(_originals(options, outbox, folder), options.microphone.originals)
