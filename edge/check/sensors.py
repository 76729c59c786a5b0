"""Checks of a station's sensors: watched folders, cameras and microphones."""

import contextlib
import errno
import os
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime, timedelta, tzinfo
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from captures.capture_time import film_time, picture_time, recording_time
from captures.decoded import Sound, Unreadable
from captures.file_kind import kind_of_path
from captures.file_types import CAPTURES
from captures.film import Film, read_film
from captures.folder_listing import BadEntry, ListedFile, describe_passed_over, modified_ns, printable_name, walk
from captures.picture import read_picture
from captures.sound import read_recording, sound_info
from contract.supervision import describe_exception
from edge.capture.camera import CameraOptions, open_camera, without_password
from edge.capture.microphone import MicrophoneOptions, MicrophoneSource, input_devices
from edge.capture.port import SourceLost
from edge.check.finding import Figure, Finding
from edge.check.measures import CLIPPED_SHARE, PictureMeasures, SoundMeasures, measure_picture, measure_sound

_LISTENED_S = 10.0  # of the newest recording
_CHANNEL_REMEDIES = {
    "dead": "check the microphone of that channel, its plug and cable; the others are analysed",
    "inverted": "swap the two wires of that channel's microphone; both channels are analysed",
    "clipped": "lower the gain of that channel, or replace its microphone; the others are analysed",
    "noisy": "replace the microphone of that channel, or dry its plug; the others are analysed",
}
_WARM_UP_FRAMES = 10  # the first frames are dark until the camera has set its exposure
_DAMAGED = "run the check again when the camera has finished writing; if it fails again, replace the card"
_BAD_ENTRIES = "look at dmesg | tail and at the permissions (ls -l); copy the card, check it with fsck, or replace it"
_AHEAD = timedelta(hours=1)  # a capture time further in the future means a wrong clock


def folder(name: str, path: Path, zone: tzinfo, now: datetime, deployed: datetime | None = None) -> Finding:
    """Check that a watched folder can be read, count its captures and measure the newest capture.

    Args:
        name: Name of the sensor.
        path: The folder.
        zone: Time zone of the clocks of cameras and recorders.
        now: Current time.
        deployed: When the deployment began; None: not known.
    """
    what = f"sensor {name}"
    if not path.is_dir():
        step = f"mount the card or share (lsblk, mount), or correct 'folder' of sensor {name!r}"
        return Finding("fails", what, f"folder {path} does not exist", step)
    if not os.access(path, os.R_OK | os.X_OK):
        step = f"give the station's user read permission: sudo chmod -R o+rX {path}, or add the user to its group"
        return Finding("fails", what, f"folder {path}: no permission to read it", step)
    try:
        files, bad, passed_over = _entries(path)
    except OSError as error:
        return Finding("fails", what, f"folder {path}: {error.strerror or error}", "check card and cable: dmesg | tail")
    figures: dict[str, Figure] = {
        "captures": len(files),
        "bad_entries": len(bad),
        "passed_over": sum(passed_over.values()),
        "passed_over_kinds": describe_passed_over(passed_over),
    }
    others = f"; not taken as captures: {figures['passed_over_kinds']}" if passed_over else ""
    if not files and not bad:
        if passed_over:
            step = f"set the camera or recorder to a form that the station reads: {' '.join(sorted(CAPTURES))}"
            return Finding("doubtful", what, f"folder {path} has no captures{others}", step, figures)
        step = "walk past the camera or make a recording, then run the check again"
        return Finding("doubtful", what, f"folder {path} can be read but has no captures", step, figures)
    if bad:
        first = printable_name(os.path.relpath(bad[0].path, path))
        others += f"; {len(bad)} entries cannot be read, such as {first}: {bad[0].reason}"
    if not files:
        return Finding("doubtful", what, f"folder {path} has no readable captures{others}", _BAD_ENTRIES, figures)
    newest = Path(files[-1].path)
    summary = f"{len(files)} captures in {path}, newest {printable_name(newest.name)}"
    try:
        found, complaint, measured = _newest(newest, zone, now, deployed)
    except Exception as error:  # noqa: BLE001, whatever a damaged file causes is a result of the check
        reason = str(error) if isinstance(error, (Unreadable, OSError)) else describe_exception(error)
        return Finding("doubtful", what, f"{summary}: {printable_name(reason)}{others}", _DAMAGED, figures)
    summary = f"{summary}, {found}{others}"
    complaint = "; ".join(filter(None, [_BAD_ENTRIES if bad else "", complaint]))
    if complaint:
        return Finding("doubtful", what, summary, complaint, figures | measured)
    return Finding("works", what, summary, figures=figures | measured)


def camera(name: str, options: CameraOptions, process: int | None) -> tuple[Finding, NDArray[np.uint8] | None]:
    """Open a camera and measure the brightness and sharpness of one frame.

    Args:
        name: Name of the sensor.
        options: Options of the camera.
        process: Id of the process that runs the station and may have the camera open; None: there is none.

    Returns:
        The finding, and the frame, (height, width, 3) uint8, or None.
    """
    what = f"sensor {name}"
    pixels: NDArray[np.uint8] | None = None
    problem = f"camera {without_password(options.device)} opens but returns no frame"
    try:
        with _quiet(), open_camera(options.device) as device:
            for _ in range(_WARM_UP_FRAMES):
                success, frame = device.read()
                if not success:
                    break
                pixels = np.asarray(frame, dtype=np.uint8)
    except SourceLost as lost:
        problem = str(lost)
    if pixels is None:
        step = "list the cameras (ls -l /dev/video*), add this user to the group video, or plug the camera in again"
        if "://" in options.device:
            step = "check the camera's power, network, address and password; try the address with ffplay or VLC"
        return _unavailable(what, problem, step, process), None
    seen = measure_picture(pixels)
    height, width = pixels.shape[:2]
    found = f"camera {without_password(options.device)}, {width} x {height}, {_picture_words(seen)}"
    figures: dict[str, Figure] = {"width": width, "height": height, **asdict(seen)}
    if seen.complaint:
        return Finding("doubtful", what, found, _picture_remedy(seen), figures), pixels
    return Finding("works", what, found, figures=figures), pixels


def microphone(name: str, options: MicrophoneOptions, silence_db: float, process: int | None) -> Finding:
    """Record one second of sound from a microphone and measure the sound level.

    Args:
        name: Name of the sensor.
        options: Options of the microphone.
        silence_db: Sound below this level, in dBFS, is not analysed.
        process: Id of the process that runs the station and may have the microphone open; None: there is none.
    """
    what = f"sensor {name}"
    source = MicrophoneSource(msgspec.structs.replace(options, stretch_s=1.0), None)
    try:
        clip = next(source.captures(threading.Event(), once=True))
    except SourceLost as lost:
        step = f"inputs: {', '.join(input_devices()) or 'none'} (arecord -l); this user must be in the group audio"
        return _unavailable(what, str(lost), step, process)
    assert isinstance(clip.content, Sound)  # noqa: S101, a microphone yields nothing else
    level = measure_sound(clip.content)
    found = f"microphone {options.device or 'default'}, {options.rate_hz} Hz, {_sound_words(level)}"
    figures: dict[str, Figure] = {"rate_hz": options.rate_hz, **asdict(level)}
    if level.mean_dbfs < silence_db:
        step = f"sound below silence_db {silence_db:g} is not analysed: check cable, power, mute and gain (alsamixer)"
        return Finding("fails", what, f"{found}: silent", step, figures)
    if level.clipped_share > CLIPPED_SHARE:
        step = "lower the gain (alsamixer); against wind, put the foam cover on"
        return Finding("doubtful", what, f"{found}: clipping", step, figures)
    return Finding("works", what, found, figures=figures)


def _unavailable(what: str, problem: str, step: str, process: int | None) -> Finding:
    """Return the finding for a camera or microphone that cannot be opened, perhaps because ``process`` uses it."""
    if process is None:
        return Finding("fails", what, problem, step)
    step = "effort messages show that a sensor works; to check it: sudo systemctl stop wildpost-station, check again"
    return Finding("doubtful", what, f"{problem}; process {process} runs this station and may be using it", step)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Suppress OpenCV's log messages during a ``with`` block, since they would repeat the finding."""
    from cv2.utils import logging

    before = logging.getLogLevel()
    logging.setLogLevel(logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        logging.setLogLevel(before)


def _entries(path: Path) -> tuple[list[ListedFile], list[BadEntry], Counter[str]]:
    """Return a folder's capture files, the newest last, its bad entries, and counts of what is passed over.

    Raises:
        OSError: the folder cannot be listed.
    """
    files: list[ListedFile] = []
    bad: list[BadEntry] = []
    passed_over: Counter[str] = Counter()
    for listing in walk(str(path), CAPTURES):
        for file in listing.files:
            if os.access(file.path, os.R_OK):
                files.append(file)
            else:
                bad.append(BadEntry(file.path, os.strerror(errno.EACCES)))
        bad += listing.bad
        passed_over += listing.passed_over
    return sorted(files, key=lambda file: (file.modified_ns, file.path)), bad, passed_over


def _newest(path: Path, zone: tzinfo, now: datetime, deployed: datetime | None) -> tuple[str, str, dict[str, Figure]]:
    """Check the content and time of a capture file; return a description, the next steps ("" if none) and figures."""
    written = modified_ns(path.stat())
    kind = kind_of_path(path)
    if kind is None or kind.family == "picture":
        taken, how = picture_time(path, zone, written, now, deployed)
        picture = read_picture(path, 640)
        seen = measure_picture(picture.pixels)
        words, figures = _picture_words(seen), {**asdict(seen)}
        steps = [_picture_remedy(seen)] if seen.complaint else []
        if picture.damage:
            words = f"{words}, damaged: {picture.damage}"
            steps.append(_DAMAGED)
            figures["damage"] = picture.damage
    elif kind.family == "film":
        film = read_film(path)
        taken, how = film_time(path, film.head.tags, zone, written, now, deployed)
        words, steps, figures = _film(film)
    else:
        taken, how = recording_time(path, zone, written, now, deployed)
        words, steps, figures = _recording(path)
    if taken - now > _AHEAD:
        steps.append(f"set the clock of the camera or recorder: this capture time is {taken - now} in the future")
    elif how.source == "none":
        steps.append(f"set the clock of the camera or recorder: {taken:%Y-%m-%d %H:%M} is no time of a running clock")
    figures |= {"newest_at": taken.isoformat(), "newest_time_source": how.source}
    return f"{taken:%Y-%m-%d %H:%M %z} ({how.source}), {words}", "; ".join(steps), figures


def _film(film: Film) -> tuple[str, list[str], dict[str, Figure]]:
    """Describe a film and measure its frame with most motion; return a description, next steps and figures."""
    head = film.head
    sound = "with sound" if head.has_sound else "without sound"
    words = f"film of {head.duration_s:.1f} s, {head.width} x {head.height}, {head.codec or 'no pictures'}, {sound}"
    figures: dict[str, Figure] = {"duration_s": head.duration_s, "width": head.width, "height": head.height}
    steps = [f"{head.problem}; if later films are cut off too, replace the card"] if head.problem else []
    if not film.frames:
        return words, steps, figures
    seen = measure_picture(read_picture(max(film.frames, key=lambda frame: frame.moved).jpeg, 640).pixels)
    if seen.complaint:
        steps.append(_picture_remedy(seen))
    return f"{words}, {_picture_words(seen)}", steps, figures | asdict(seen)


def _recording(path: Path) -> tuple[str, list[str], dict[str, Figure]]:
    """Check the header, the level and the channels of a recording; return a description, next steps and figures."""
    remarks = sound_info(path).remarks
    first = next(read_recording(path, stretch_s=_LISTENED_S))
    level = measure_sound(first.sound)
    figures: dict[str, Figure] = {**asdict(level), "channel_faults": ", ".join(map(str, first.faults))}
    words = ", ".join((_sound_words(level), *map(str, first.faults), *remarks))
    steps = [_CHANNEL_REMEDIES[kind] for kind in dict.fromkeys(fault.kind for fault in first.faults)]
    if remarks:
        steps.append("if the recorder has finished this file, check its battery and card: writing was interrupted")
    if level.clipped_share > CLIPPED_SHARE:
        steps.append("lower the recorder's gain")
    return words, steps, figures


def _picture_words(seen: PictureMeasures) -> str:
    complaint = f": {seen.complaint}" if seen.complaint else ""
    return f"brightness {seen.brightness_percent:.0f} %, sharpness {seen.sharpness:.0f}{complaint}"


def _picture_remedy(seen: PictureMeasures) -> str:
    if seen.complaint == "dark":
        return "look for a lens cap, a leaf or a dead infrared lamp; at night, run the check again by day"
    return "clean the lens and its window, aim and focus it; in fog or against the sun, run the check again later"


def _sound_words(level: SoundMeasures) -> str:
    return f"level {level.mean_dbfs:.0f} dBFS, peak {level.peak_dbfs:.0f}"
