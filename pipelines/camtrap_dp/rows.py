"""Rows of the tables of media and observations for one capture or visit."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from contract import Event, Media
from contract.messages import ObservationType
from pipelines.camtrap_dp.classified import Classified
from pipelines.camtrap_dp.tables import box_cells, time_cell

SIMULATED = "simulated: no sensor captured this"  # remark of simulated deployments and observations
_ENDINGS = {"image/jpeg": ".jpg", "image/png": ".png", "audio/flac": ".flac", "audio/wav": ".wav", "audio/ogg": ".opus"}


def deployment_id(event: Event) -> str:
    """Return the ``deploymentID`` of a capture: Camtrap DP's deployments are those of one sensor."""
    return f"{event.station}:{event.deployment}:{event.sensor}"


def media_rows(event: Event) -> Iterator[dict[str, object]]:
    """Yield a row for each file of a capture: the original, which stays on the station, and what was sent."""
    for number, media in enumerate(event.media):
        if media.type.partition("/")[0] not in ("image", "video", "audio"):
            continue
        yield {
            "mediaID": f"{event.event_id}:{number}",
            "deploymentID": deployment_id(event),
            "captureMethod": "activityDetection",
            "timestamp": time_cell(event.captured_at),
            "filePath": file_path(event, media),
            "filePublic": "false",
            "fileName": media.name,
            "fileMediatype": media.type,
            "mediaComments": f"{'simulated | ' if event.simulated is True else ''}role: {media.role} | "
            f"sha256: {media.sha256} | time: {event.clock.source}",
        }


def file_path(event: Event, media: Media) -> str:
    """Return the relative path of a file: by content in the media folder, or by name on the station."""
    if media.role != "original":
        return f"media/{media.sha256}{_ENDINGS.get(media.type, '')}"
    safe = "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in media.name or media.sha256)
    return f"originals/{event.station}/{safe.replace('..', '_')}"


def observation_rows(event: Event, found: Sequence[Classified]) -> Iterator[dict[str, object]]:
    """Yield the media-level observations of a capture."""
    media = next((number for number, one in enumerate(event.media) if one.role == "original"), 0)
    for one in found:
        start, end = _times(event, one)
        row = _common(event, one) | {
            "observationID": f"{event.event_id}:{one.ordinal}",
            "mediaID": f"{event.event_id}:{media}" if event.media else "",
            "eventStart": time_cell(start),
            "eventEnd": time_cell(end),
            "observationLevel": "media",
            "count": "" if one.observation_type == "blank" else 1,
        }
        yield row | box_cells(one.box)


def event_rows(visit: Sequence[tuple[Event, Sequence[Classified]]]) -> Iterator[dict[str, object]]:
    """Yield the event-level observations of a visit: one for each taxon, with the largest number in one capture."""
    first = min((event for event, _ in visit), key=lambda event: event.captured_at)
    start = first.captured_at
    end = max(event.captured_at + timedelta(seconds=event.duration_s) for event, _ in visit)
    counts: Counter[tuple[ObservationType, str]] = Counter()
    best: dict[tuple[ObservationType, str], Classified] = {}
    for _, found in visit:
        in_capture = Counter((one.observation_type, one.key) for one in found)
        for kind, count in in_capture.items():
            counts[kind] = max(counts[kind], count)
        for one in found:
            kind = one.observation_type, one.key
            if kind not in best or _rank(one) > _rank(best[kind]):
                best[kind] = one
    if len(best) > 1:  # a blank capture within a visit says nothing about the visit
        best = {kind: one for kind, one in best.items() if kind[0] != "blank"}
    for number, (kind, one) in enumerate(sorted(best.items(), key=lambda item: item[0])):
        yield _common(first, one) | {
            "observationID": f"{first.event_id}:event:{number}",
            "eventStart": time_cell(start),
            "eventEnd": time_cell(end),
            "observationLevel": "event",
            "count": "" if one.observation_type == "blank" else counts[kind],
        }


def _rank(one: Classified) -> tuple[bool, float]:
    """Order observations of one taxon: a person's before a machine's, then by confidence."""
    return one.at is not None, one.probability or 0.0


def _common(event: Event, one: Classified) -> dict[str, object]:
    return {
        "deploymentID": deployment_id(event),
        "eventID": event.visit_id or event.event_id,
        "observationType": one.observation_type,
        "scientificName": one.scientific_name,
        "classificationMethod": "machine" if one.at is None else "human",
        "classifiedBy": one.by,
        "classificationTimestamp": "" if one.at is None else time_cell(one.at),
        "classificationProbability": "" if one.probability is None else round(one.probability, 4),
        "observationComments": SIMULATED if event.simulated is True else "",
        "observationTags": " | ".join(f"{name}:{value}" for name, value in one.tags),
    }


def _times(event: Event, one: Classified) -> tuple[datetime, datetime]:
    if one.span is None:
        return event.captured_at, event.captured_at + timedelta(seconds=event.duration_s)
    start, end = (event.captured_at + timedelta(seconds=value) for value in (one.span.start_s, one.span.end_s))
    return start, end
