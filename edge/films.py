"""Runs a sensor's detectors on a capture of any kind; of a film, makes its poster and its clip for browsers."""

import logging
from collections.abc import Sequence
from typing import Any

from captures.decoded import Unreadable
from captures.film import Film, film_clip
from captures.picture import read_picture, thumbnail
from contract import Detection, Location
from edge.capture.clip import Clip
from edge.detect import Companion, companion_of, examine
from models.crops import classify_animals
from models.film import detect_in_film
from models.port import Classifier, Detector

LOG = logging.getLogger("wildpost.station")


def examine_capture(
    detectors: Sequence[Detector[Any, Any]], clip: Clip, classifier: Classifier | None, location: Location | None
) -> tuple[list[Detection], Clip, tuple[Companion, ...]]:
    """Run all detectors on a capture of any kind.

    Returns:
        The detections; the capture, of a sound with its best signal alone; and the poster and clip of a film.

    Raises:
        Unreadable: the capture cannot be decoded.
        OSError: its file no longer exists or cannot be read.
    """
    if isinstance(clip.content, Film):
        found, beside = look_through(detectors, clip, clip.content, classifier, location)
        return found, clip, beside
    return *examine(detectors, clip, classifier, location), ()


def look_through(
    detectors: Sequence[Detector[Any, Any]],
    clip: Clip,
    film: Film,
    classifier: Classifier | None = None,
    location: Location | None = None,
) -> tuple[list[Detection], tuple[Companion, ...]]:
    """Run all detectors on a film; return its detections, and its poster and clip.

    The clip is made only of a film with detections. A film of which no clip can be made has only its poster.

    Args:
        detectors: All of them look at the same frames.
        clip: The capture.
        film: Its content.
        classifier: Gets each animal that has a box on the poster; None: animals are not classified.
        location: Position of the station.

    Raises:
        Unreadable: the film has no frames.
        OSError: its file no longer exists or cannot be read, or no process can be started.
    """
    findings = detect_in_film(detectors, film)
    found, poster = findings.detections, findings.poster
    if classifier is not None and any(one.observation_type == "animal" and one.box for one in found):
        longest_px = max(film.head.width, film.head.height)
        pixels = read_picture(poster.jpeg, longest_px).pixels
        found = classify_animals(classifier, pixels, found, clip.captured_at, location)
    beside = [companion_of(thumbnail(poster.jpeg), "image/jpeg", "thumbnail")]
    if found:
        try:
            beside.append(companion_of(film_clip(film, poster.at_s), "video/mp4", "clip"))
        except Unreadable as error:
            LOG.warning("%s: no clip for browsers: %s", clip.name, error)
    return found, tuple(beside)
