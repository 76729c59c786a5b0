"""Looks through each sensor once: a folder and its newest file, one frame of a camera, one second of a microphone."""

import contextlib
import os
import threading
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime, timedelta, tzinfo
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from captures.capture_time import picture_time, recording_time
from captures.decoded import Sound, Unreadable
from captures.file_types import PICTURES, RECORDINGS
from captures.picture import read_picture
from captures.sound import read_stretches
from edge.capture.camera import CameraOptions, open_camera, without_password
from edge.capture.microphone import MicrophoneOptions, MicrophoneSource, input_devices
from edge.capture.port import SourceLost
from edge.check.finding import Figure, Finding
from edge.check.measures import CLIPPED_SHARE, PictureMeasures, SoundMeasures, measure_picture, measure_sound

_WARM_UP_FRAMES = 10  # a camera's first frames are dark until it has set its exposure
_AHEAD = timedelta(hours=1)  # a file from further in the future was written by a clock that is wrong


def folder(name: str, path: Path, zone: tzinfo, now: datetime) -> Finding:
    """Tell whether a watched folder can be read, how much is in it, and how the newest file is.

    Args:
        name: Of the sensor.
        path: The folder.
        zone: In which cameras' and recorders' clocks run.
        now: What the clock shows.
    """
    what = f"sensor {name}"
    if not path.is_dir():
        step = f"mount the card or share (lsblk, mount), or mend 'folder' of sensor {name!r}"
        return Finding("fails", what, f"folder {path} is not there", step)
    if not os.access(path, os.R_OK | os.X_OK):
        step = f"let the user of the station read it: sudo chmod -R o+rX {path}, or add the user to its group"
        return Finding("fails", what, f"folder {path} may not be read", step)
    try:
        files = sorted(_captures(path))
    except OSError as error:
        return Finding("fails", what, f"folder {path}: {error.strerror or error}", "check card and cable: dmesg | tail")
    figures: dict[str, Figure] = {"captures": len(files)}
    if not files:
        step = "walk past the camera or make a recording, then check again"
        return Finding("doubtful", what, f"folder {path} can be read, and is empty so far", step, figures)
    newest = files[-1][1]
    try:
        found, complaint, measured = _newest(newest, zone, now)
    except (Unreadable, OSError) as error:
        step = "check again when the camera has finished writing; the same again: another card"
        return Finding(
            "doubtful", what, f"{len(files)} captures in {path}, newest {newest.name}: {error}", step, figures
        )
    words = f"{len(files)} captures in {path}, newest {newest.name}, {found}"
    if complaint:
        return Finding("doubtful", what, words, complaint, figures | measured)
    return Finding("works", what, words, figures=figures | measured)


def camera(name: str, options: CameraOptions, process: int | None) -> tuple[Finding, NDArray[np.uint8] | None]:
    """Open a camera and look at a frame.

    Args:
        name: Of the sensor.
        options: Which camera.
        process: That runs the station, and may hold the camera; None: there is none.

    Returns:
        What was found, and the frame: (height, width, 3) uint8.
    """
    what = f"sensor {name}"
    pixels: NDArray[np.uint8] | None = None
    problem = f"camera {without_password(options.device)} opens and gives no frame"
    try:
        with _quiet(), open_camera(options.device) as device:
            for _ in range(_WARM_UP_FRAMES):
                there, frame = device.read()
                if not there:
                    break
                pixels = np.asarray(frame, dtype=np.uint8)
    except SourceLost as lost:
        problem = str(lost)
    if pixels is None:
        step = (
            "see what is there: ls -l /dev/video*; may this user open it? (group video) Else unplug it and plug it in"
        )
        if "://" in options.device:
            step = "is the camera on, in the same network, its address and password right? Try it with ffplay or VLC"
        return _lost(what, problem, step, process), None
    seen = measure_picture(pixels)
    height, width = pixels.shape[:2]
    found = f"camera {without_password(options.device)}, {width} x {height}, {_seen(seen)}"
    figures: dict[str, Figure] = {"width": width, "height": height, **asdict(seen)}
    if seen.complaint:
        return Finding("doubtful", what, found, _mend(seen), figures), pixels
    return Finding("works", what, found, figures=figures), pixels


def microphone(name: str, options: MicrophoneOptions, silence_db: float, process: int | None) -> Finding:
    """Listen for a second.

    Args:
        name: Of the sensor.
        options: Which microphone.
        silence_db: Sound below this is not listened to.
        process: That runs the station, and may hold the microphone; None: there is none.
    """
    what = f"sensor {name}"
    source = MicrophoneSource(msgspec.structs.replace(options, stretch_s=1.0), None)
    try:
        clip = next(source.captures(threading.Event(), once=True))
    except SourceLost as lost:
        step = f"inputs here: {', '.join(input_devices()) or 'none'} (arecord -l); may this user open it? (group audio)"
        return _lost(what, str(lost), step, process)
    assert isinstance(clip.content, Sound)  # noqa: S101, a microphone yields nothing else
    heard = measure_sound(clip.content)
    found = f"microphone {options.device or 'default'}, {options.rate_hz} Hz, {_heard(heard)}"
    figures: dict[str, Figure] = {"rate_hz": options.rate_hz, **asdict(heard)}
    if heard.mean_dbfs < silence_db:
        step = f"below silence_db {silence_db:g} nothing is listened to: check cable, power, mute and gain (alsamixer)"
        return Finding("fails", what, f"{found}: silent", step, figures)
    if heard.clipped_share > CLIPPED_SHARE:
        step = "lower the gain: alsamixer; wind? put the foam on"
        return Finding("doubtful", what, f"{found}: clipping", step, figures)
    return Finding("works", what, found, figures=figures)


def _lost(what: str, problem: str, step: str, process: int | None) -> Finding:
    """A running station holds its devices: then nothing is known of them, and nothing need be wrong."""
    if process is None:
        return Finding("fails", what, problem, step)
    step = "it sends effort while the sensor watches; to look at it: sudo systemctl stop wildpost-station, check again"
    return Finding("doubtful", what, f"{problem}; process {process} runs this station, and may hold it", step)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep OpenCV from writing of the same between our lines."""
    from cv2.utils import logging

    before = logging.getLogLevel()
    logging.setLogLevel(logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        logging.setLogLevel(before)


def _captures(path: Path) -> Iterator[tuple[int, Path]]:
    for file in path.rglob("*"):
        hidden = any(part.startswith(".") for part in file.relative_to(path).parts)
        if not hidden and file.suffix.lower() in PICTURES | RECORDINGS and file.is_file():
            yield file.stat().st_mtime_ns, file


def _newest(path: Path, zone: tzinfo, now: datetime) -> tuple[str, str, dict[str, Figure]]:
    """Say what the newest file is like, what is to be done about it, and the figures."""
    written = path.stat().st_mtime_ns
    complaint = ""
    figures: dict[str, Figure] = {}
    if path.suffix.lower() in PICTURES:
        taken, how = picture_time(path, zone, written)
        seen = measure_picture(read_picture(path, 640).pixels)
        words, figures = _seen(seen), {**asdict(seen)}
        if seen.complaint:
            complaint = _mend(seen)
    else:
        taken, how = recording_time(path, zone, written)
        heard = measure_sound(next(read_stretches(path, stretch_s=1.0)))
        words, figures = _heard(heard), {**asdict(heard)}
        if heard.clipped_share > CLIPPED_SHARE:
            complaint = "lower the recorder's gain"
    if taken - now > _AHEAD:
        complaint = f"set the clock of the camera or recorder: this file is from {taken - now} ahead"
    figures |= {"newest_at": taken.isoformat(), "newest_time_source": how.source}
    return f"{taken:%Y-%m-%d %H:%M %z} ({how.source}), {words}", complaint, figures


def _seen(seen: PictureMeasures) -> str:
    complaint = f": {seen.complaint}" if seen.complaint else ""
    return f"brightness {seen.brightness_percent:.0f} %, sharpness {seen.sharpness:.0f}{complaint}"


def _mend(seen: PictureMeasures) -> str:
    if seen.complaint == "dark":
        return "lens cap, leaf, dead infrared lamp? At night this may be right: check again by day"
    return "clean the lens and its pane, aim it, set its focus; fog or sun in the lens? Check again"


def _heard(heard: SoundMeasures) -> str:
    return f"level {heard.mean_dbfs:.0f} dBFS, peak {heard.peak_dbfs:.0f}"
