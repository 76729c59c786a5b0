"""Diagnoses a station: machine, sensors, detectors and the connection to the broker."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from captures.decoded import Picture, Sound
from contract import Detection, Model
from edge.capture.camera import without_password
from edge.check import Figure, Finding, machine, sensors
from edge.check.link import link_budget
from edge.instance_lock import lock_holder
from edge.transport.mqtt.diagnostics import check as check_broker
from models.port import Crop
from models.registry import WeightsError, WeightsMismatch
from wildpost.cli.expected_errors import missing_extra
from wildpost.settings.loader import SettingsError
from wildpost.settings.station import LOOKING, StationSettings, load_station
from wildpost.station.assembly import open_detector, open_station_classifier, recorder_zone, station_folder
from wildpost.station.setup import SECRETS, provide_secrets

Trial = tuple[Model, Callable[[], object]]  # an open model, and a call that runs it once

_TRIAL_S = 3.0  # length of one window of BirdNET
_TRIAL_RATE_HZ = 48_000


def diagnose_station(path: Path, data: Path) -> Iterator[Finding]:
    """Check every part of a station (clock, disk, sensors, detectors, broker); yield one finding for each part.

    Args:
        path: The settings file.
        data: The data folder.
    """
    try:
        provide_secrets(path)
        settings = load_station(path)
    except SettingsError as error:
        yield Finding("fails", "settings", str(error), "correct this key; docs/reference/station.md lists all keys")
        return
    yield _settings(path, settings)
    settings_folder, folder = path.absolute().parent, station_folder(settings, data)
    yield machine.clock(datetime.now(UTC), settings.station.time_zone or settings.station.utc_offset)
    yield machine.disk(folder, _quota_bytes(settings))
    yield machine.outbox(folder)
    local = datetime.now(settings.station.recorders_zone)
    limited = link_budget(folder, settings.links, local, settings.broker.prefix, settings.station.name)
    if limited:
        yield limited
    process = lock_holder(folder)
    if process is not None:
        yield machine.running(process)
    temperature = machine.temperature()
    if temperature:
        yield temperature
    frame = None
    for sensor in settings.sensors:
        if sensor.source == "camera":
            finding, new_frame = sensors.camera(sensor.name, sensor.camera, process)
            frame = frame if new_frame is None else new_frame
            yield finding
        elif sensor.source == "microphone":
            yield sensors.microphone(sensor.name, sensor.microphone, sensor.silence_db, process)
        else:
            zone = recorder_zone(sensor, settings.station)
            yield sensors.folder(
                sensor.name, settings_folder / sensor.folder, zone, datetime.now(UTC), settings.deployment.start
            )
    wanted = {name for sensor in settings.sensors for name in sensor.detectors}
    for name in sorted(wanted):
        yield _detector(name, settings, settings_folder, data, frame)
    if settings.vision.classifier and wanted & LOOKING:
        yield _classifier(settings, settings_folder, data, frame)
    yield from check_broker(settings.broker, settings.station.name)


def _settings(path: Path, settings: StationSettings) -> Finding:
    secrets = path.absolute().parent / SECRETS
    found = f"{path}: station {settings.station.name}, deployment {settings.station.deployment}"
    # Read access for the group is allowed: the user that runs the station reads a file of root through its group.
    private = [secrets, *([Path(settings.broker.password_file)] if settings.broker.password_file else [])]
    if any(without_password(sensor.camera.device) != sensor.camera.device for sensor in settings.sensors):
        private.append(path)  # a camera's address contains its password
    for file in private:
        if file.is_file() and file.stat().st_mode & 0o027:
            return Finding("doubtful", "settings", f"{found}; other users can read {file}", f"chmod 640 {file}")
    if settings.station.location is None:
        step = "set latitude and longitude: zone rules and BirdNET's species range filter need them"
        return Finding("doubtful", "settings", f"{found}; no location", step)
    return Finding("works", "settings", found)


def _quota_bytes(settings: StationSettings) -> int:
    kept = [
        sensor.originals_quota_bytes
        for sensor in settings.sensors
        if sensor.source == "camera" or (sensor.source == "microphone" and sensor.microphone.originals != "none")
    ]
    return settings.station.media_quota_bytes + sum(kept)


def _detector(
    name: str, settings: StationSettings, settings_folder: Path, data: Path, frame: NDArray[np.uint8] | None
) -> Finding:
    def open_() -> Trial:
        detector = open_detector(name, settings, settings_folder, data)
        item = _picture(frame) if name in LOOKING else _sound()
        return detector.model, lambda: detector.predict([detector.preprocess(item)])

    pull = f"wildpost models pull {settings.vision.model}; without network: --from FILE" if name == "vision" else ""
    return _tried(f"detector {name}", open_, "picture" if name in LOOKING else f"sound of {_TRIAL_S:g} s", pull)


def _classifier(
    settings: StationSettings, settings_folder: Path, data: Path, frame: NDArray[np.uint8] | None
) -> Finding:
    def open_() -> Trial:
        classifier = open_station_classifier(settings, settings_folder, data)
        assert classifier is not None, "the settings name one"  # noqa: S101
        animal = Detection(ordinal=0, label="animal", observation_type="animal", confidence=1.0, model="trial")
        crop = Crop(_picture(frame).pixels, animal, datetime.now(UTC), settings.station.location)
        return classifier.model, lambda: classifier.classify([crop])

    pull = f"wildpost models pull {settings.vision.classifier}; without network: --from FILE"
    return _tried("classifier", open_, "crop", pull)


def _tried(what: str, open_: Callable[[], Trial], of: str, pull: str) -> Finding:
    """Open a model and measure one inference after a warm-up.

    Opening checks the hash of the weights.

    Args:
        what: Heading of the finding.
        open_: Opens the model.
        of: Its input, for the message.
        pull: The next step if its weights are missing; "": a general one.
    """
    began = time.monotonic()
    try:
        model, infer = open_()
        opened_s = time.monotonic() - began
        infer()
        began = time.monotonic()
        infer()
        took_ms = round(1000 * (time.monotonic() - began), 1)
    except ModuleNotFoundError as error:
        return Finding(
            "fails",
            what,
            missing_extra(error) or str(error),
            "install requirements-station.txt of the release: docs/how-to/deploy.md",
        )
    except WeightsMismatch as error:
        return Finding("fails", what, str(error), "remove that file, then: wildpost models pull")
    except (WeightsError, ValueError) as error:
        step = "wildpost models list shows the installed models; settings: docs/reference/station.md"
        if pull and "no weights" in str(error):
            step = pull
        if "yamnet: no weights" in str(error):
            step = "wildpost models pull yamnet; without network: --from FILE; or second_opinion = false"
        return Finding("fails", what, str(error), step)
    except (OSError, RuntimeError) as error:  # raised by an inference runtime that does not support this machine
        return Finding(
            "fails", what, f"{type(error).__name__}: {error}", "try the other runtime: docs/reference/models.md"
        )
    figures: dict[str, Figure] = {
        "model": model.name,
        "sha256": model.sha256,
        "inference_ms": took_ms,
        "opening_s": round(opened_s, 2),
    }
    found = f"{model.name} {model.version}, weights verified; {took_ms:.0f} ms for a {of}"
    return Finding("works", what, found, figures=figures)


def _picture(frame: NDArray[np.uint8] | None) -> Picture:
    """Return the camera's frame as a picture, or a picture of noise if there is no camera.

    Inference takes equally long for both.
    """
    if frame is None:
        frame = np.random.default_rng(1).integers(0, 255, (960, 1280, 3), np.uint8)
    height, width = frame.shape[:2]
    return Picture(frame, width, height)


def _sound() -> Sound:
    noise = np.random.default_rng(1).normal(0, 0.01, round(_TRIAL_S * _TRIAL_RATE_HZ))
    return Sound(noise.astype(np.float32), _TRIAL_RATE_HZ)
