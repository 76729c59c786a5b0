"""Writer of alert messages in Chinese and English, with a link to the incident and a picture."""

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from casebook.incidents.alert_policy import AlertPolicy
from casebook.incidents.reader import Incident, IncidentReader
from casebook.incidents.repository import Alert
from contract import Box, Event
from contract.errors import StoreUnavailable
from i18n.incident_sentences import headline, occurrence_sentences
from i18n.known_labels import KnownLabels
from i18n.language import Language, load_languages
from ingest.alerts.port import Attachment, AttachmentPending, Message, MessageText
from ingest.media.port import MediaMissing, MediaStore
from ingest.store.port import EventQuery, Store

_PICTURE_WAIT = timedelta(seconds=3)  # a thumbnail arrives shortly after its event
_MARGIN = 0.1  # of the box size: heads extend beyond the box


@dataclass(frozen=True)
class AlertMessageWriter:
    """Writer that composes the message of an alert from texts, a link and a picture.

    Attributes:
        reader: Source of incidents.
        store: Source of events.
        media: Source of thumbnails.
        languages: Languages by code.
        address: Base URL of the pages for recipients; "": messages have no link.
        now: The clock.
        labels: Labels that may appear in messages; others are shown as "other".
        station_alerts_per_hour: Limit that a message about held back alerts names.
    """

    reader: IncidentReader
    store: Store
    media: MediaStore
    languages: Mapping[str, Language]
    address: str
    now: Callable[[], datetime]
    labels: KnownLabels = field(default_factory=KnownLabels)
    station_alerts_per_hour: int = AlertPolicy().station_alerts_per_hour

    def write(self, alert: Alert, picture: str) -> Message:
        """Return the message of an alert, with the requested kind of picture.

        Args:
            alert: The alert.
            picture: "plain", "blurred" or "none".

        Raises:
            AttachmentPending: the picture has not arrived yet.
            StoreUnavailable: store or casebook did not answer.
        """
        incident = self.reader.incident(alert.incident_id)
        if incident is None:
            raise LookupError(f"alert {alert.id}: incident {alert.incident_id} is not in the casebook")
        incident = _with_known_labels(incident, self.labels)
        alert = replace(alert, kind=self.labels.kind(alert.kind))
        found = self.store.events(EventQuery(event_ids=(alert.subject,), limit=1))
        event = found[0] if found else None
        wanted = picture != "none" and alert.cause != "held"
        pictures = {} if not wanted or event is None else self._pictures(alert, event, picture)
        link = f"{self.address.rstrip('/')}/incidents/{incident.id}" if self.address else ""
        limit = self.station_alerts_per_hour
        words = {
            code: _held_words(alert, limit, language) if alert.cause == "held" else _words(alert, incident, language)
            for code, language in self.languages.items()
        }
        return Message(alert, words, link, pictures, _record(alert, incident, words, link))

    def _pictures(self, alert: Alert, event: Event, kind: str) -> dict[str, Attachment]:
        thumbnails = [one for one in event.media if one.role == "thumbnail" and one.type in ("image/jpeg", "image/png")]
        if not thumbnails:
            return {}
        try:
            with self.media.open(thumbnails[0].sha256) as file:
                data = file.read()
        except (MediaMissing, StoreUnavailable):
            if self.now() - alert.raised_at < _PICTURE_WAIT:
                raise AttachmentPending(thumbnails[0].sha256) from None
            return {}
        if kind == "plain":
            return {kind: Attachment(data, thumbnails[0].type)}
        blurred = blur_people(data, event)
        return {kind: Attachment(blurred, "image/jpeg")} if blurred else {}


def blur_people(data: bytes, event: Event) -> bytes | None:
    """Return the picture as a JPEG in which people are blurred; None if the picture cannot be decoded.

    If a person has no box, the whole picture is blurred.
    """
    from PIL import Image, ImageFilter, UnidentifiedImageError

    people = [one for one in event.detections if one.observation_type == "human"]
    try:
        picture = Image.open(io.BytesIO(data)).convert("RGB")
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError):
        return None
    blurred = picture.filter(ImageFilter.GaussianBlur(max(picture.size) / 25))
    for one in people:
        area = _area(one.box, picture.size)
        picture.paste(blurred.crop(area), area)
    output = io.BytesIO()
    picture.save(output, "JPEG", quality=80)
    return output.getvalue()


def _area(box: Box | None, size: tuple[int, int]) -> tuple[int, int, int, int]:
    if box is None:
        return 0, 0, size[0], size[1]
    left, top = box.x - _MARGIN * box.width, box.y - _MARGIN * box.height
    right, bottom = box.x + (1 + _MARGIN) * box.width, box.y + (1 + _MARGIN) * box.height
    width, height = size
    return (
        max(0, round(left * width)),
        max(0, round(top * height)),
        min(width, round(right * width) + 1),
        min(height, round(bottom * height) + 1),
    )


def _with_known_labels(incident: Incident, labels: KnownLabels) -> Incident:
    """Return the incident without free text of its stations."""
    members = tuple(
        replace(
            one,
            occurrence=replace(
                one.occurrence,
                kind=labels.kind(one.occurrence.kind),
                reasons=tuple(labels.reason(reason) for reason in one.occurrence.reasons),
            ),
        )
        for one in incident.occurrences
    )
    return replace(incident, occurrences=members)


def _severity(alert: Alert, language: Language) -> str:
    translate = language.translate
    return {"notice": translate("Notice"), "warning": translate("Warning"), "urgent": translate("Urgent")}[
        alert.severity
    ]


def _held_words(alert: Alert, limit: int, language: Language) -> MessageText:
    translate = language.translate
    what = translate("Station %(station)s: alerts are held back", station=alert.station)
    body = translate(
        "Station %(station)s has raised %(count)s alerts in an hour. The rest is held back; look at the page.",
        station=alert.station,
        count=limit,
    )
    return MessageText(translate("[%(severity)s] %(what)s", severity=_severity(alert, language), what=what), body)


def _words(alert: Alert, incident: Incident, language: Language) -> MessageText:
    translate = language.translate
    severity = _severity(alert, language)
    lines = [*occurrence_sentences(incident, language)[:8]]
    if alert.cause != "first":
        lines.insert(0, translate("This incident is more severe than at the last alert."))
    lines += [
        translate("Station: %(stations)s", stations=translate(", ").join(incident.stations)),
        translate("Time: %(time)s", time=language.date_time(incident.started_at)),
    ]
    title = translate("[%(severity)s] %(what)s", severity=severity, what=headline(incident, alert, language))
    return MessageText(title, "\n".join(lines))


def _record(alert: Alert, incident: Incident, words: Mapping[str, MessageText], link: str) -> dict[str, Any]:
    return {
        "schema": "1.0",
        "alert_id": alert.id,
        "incident_id": incident.id,
        "event_id": alert.subject,
        "cause": alert.cause,
        "kind": alert.kind,
        "severity": alert.severity,
        "station": alert.station,
        "stations": list(incident.stations),
        "kinds": list(incident.kinds),
        "confidence": round(incident.confidence, 4),
        "raised_at": alert.raised_at.isoformat(),
        "started_at": incident.started_at.isoformat(),
        "ended_at": incident.ended_at.isoformat(),
        "link": link,
        "text": {code: {"title": one.title, "body": one.body} for code, one in words.items()},
    }


def test_message(now: datetime, address: str, time_zone: str) -> Message:
    """Return a test message, whose text says that the message is a test."""
    from PIL import Image, ImageDraw

    alert = Alert("test", "test", "test", "first", "test", "test", "notice", now)
    words = {}
    for code, language in load_languages(ZoneInfo(time_zone)).items():
        translate = language.translate
        body = translate("This is a test. Alerts reach you. Sent %(time)s.", time=language.date_time(now))
        words[code] = MessageText(
            translate("[%(severity)s] %(what)s", severity=translate("Test"), what=translate("Wildpost")), body
        )
    picture = Image.new("RGB", (320, 180), "#1f4d3a")
    ImageDraw.Draw(picture).ellipse((110, 40, 210, 140), fill="#e8b04a")
    written = io.BytesIO()
    picture.save(written, "JPEG")
    drawn = Attachment(written.getvalue(), "image/jpeg")
    text = {code: {"title": one.title, "body": one.body} for code, one in words.items()}
    record = {"schema": "1.0", "alert_id": "test", "severity": "notice", "raised_at": now.isoformat(), "text": text}
    return Message(alert, words, address, {"plain": drawn, "blurred": drawn}, record)
