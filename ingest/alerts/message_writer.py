"""Writer of alert messages in Chinese and English, with a link to the incident and a picture."""

import io
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from captures.decoded import Unreadable
from captures.sent_media import check_sent_picture
from casebook.cases.repository import Cases
from casebook.incidents.alert_policy import AlertPolicy
from casebook.incidents.occurrence import Occurrence
from casebook.incidents.reader import Incident, IncidentReader
from casebook.incidents.repository import Alert
from contract import Event
from contract.errors import StoreUnavailable
from contract.severity import Severity, severity_rank
from i18n.flag_sentences import simulated_text
from i18n.incident_sentences import headline, occurrence_sentences
from i18n.known_labels import KnownLabels
from i18n.language import Language, load_languages
from ingest.alerts.deadline_message import deadline_message, severity_name
from ingest.alerts.port import Attachment, AttachmentPending, Message, MessageText
from ingest.drawing.drawings import CannotDraw, DrawingBusy, Drawings
from ingest.media.port import MediaMissing, MediaStore
from ingest.store.port import EventQuery, Store
from ingest.store.simulated import simulated_stations

LOG = logging.getLogger("wildpost.alerts")
_PICTURE_WAIT = timedelta(seconds=3)  # a thumbnail arrives shortly after its event
_OCCURRENCES = 20  # of an incident, from which a message takes at most eight different sentences


@dataclass(frozen=True)
class AlertMessageWriter:
    """Writer that composes the message of an alert from texts, a link and a picture.

    Attributes:
        reader: Source of incidents.
        store: Source of events.
        media: Source of thumbnails.
        drawings: Blurs people in thumbnails.
        languages: Languages by code.
        address: Base URL of the pages for recipients; "": messages have no link.
        now: The clock.
        labels: Labels that may appear in messages; others are shown as "other".
        station_alerts_per_hour: Limit that a message about held back alerts names.
        cases: Source of cases; None: there are no alerts about deadlines.
    """

    reader: IncidentReader
    store: Store
    media: MediaStore
    drawings: Drawings
    languages: Mapping[str, Language]
    address: str
    now: Callable[[], datetime]
    labels: KnownLabels = field(default_factory=KnownLabels)
    station_alerts_per_hour: int = AlertPolicy().station_alerts_per_hour
    cases: Cases | None = None

    def write(self, alert: Alert, picture: str) -> Message:
        """Return the message of an alert, with the requested kind of picture.

        Args:
            alert: The alert.
            picture: "plain", "blurred" or "none".

        Raises:
            AttachmentPending: the picture has not arrived yet.
            StoreUnavailable: store or casebook did not answer.
        """
        if alert.cause in ("near", "passed"):
            return deadline_message(alert, self.cases, self.address, self.languages)
        incident = self.reader.incident(alert.incident_id)
        if incident is None:
            raise LookupError(f"alert {alert.id}: incident {alert.incident_id} is not in the casebook")
        incident = _known_kinds(incident, self.labels)
        alert = replace(alert, kind=self.labels.kind(alert.kind))
        found = self.store.events(EventQuery(event_ids=(alert.subject,), limit=1))
        event = found[0] if found else None
        wanted = picture != "none" and alert.cause != "held"
        pictures = {} if not wanted or event is None else self._pictures(alert, event, picture)
        link = f"{self.address.rstrip('/')}/incidents/{incident.id}" if self.address else ""
        occurrences = [self._known(one) for one in self._occurrences(alert)]
        limit = self.station_alerts_per_hour
        simulated = {alert.station} if self._is_simulated(alert, event, occurrences) else set[str]()
        words = {
            code: _held_words(alert, limit, language, simulated)
            if alert.cause == "held"
            else _words(alert, incident, occurrences, language, simulated)
            for code, language in self.languages.items()
        }
        record = _record(alert, incident, words, link) | {"simulated": alert.station in simulated}
        return Message(alert, words, link, pictures, record)

    def _occurrences(self, alert: Alert) -> list[Occurrence]:
        """Return the first occurrences of the incident; those that caused the alert come first if they are later."""
        first = [one.occurrence for one in self.reader.members(alert.incident_id, _OCCURRENCES)]
        if any(one.subject == alert.subject for one in first):
            return first
        return [*(one.occurrence for one in self.reader.occurrences_of(alert.subject)), *first]

    def _is_simulated(self, alert: Alert, event: Event | None, occurrences: Sequence[Occurrence]) -> bool:
        """Return whether a station says that it is simulated, and no other station can join the incident of the alert.

        A finding with a location is called real whatever its station says: a finding of a real station nearby joins its
        incident without another alert.
        """
        if any(one.location is not None or one.station != alert.station for one in occurrences):
            return False
        if event is not None and event.simulated is True:
            return True
        return alert.station in simulated_stations(self.store.deployments())

    def _known(self, one: Occurrence) -> Occurrence:
        """Return an occurrence without free text of its station."""
        return replace(one, kind=self.labels.kind(one.kind), reasons=tuple(map(self.labels.reason, one.reasons)))

    def _pictures(self, alert: Alert, event: Event, kind: str) -> dict[str, Attachment]:
        thumbnails = [one for one in event.media if one.role == "thumbnail" and one.type in ("image/jpeg", "image/png")]
        if not thumbnails:
            return {}
        sha256 = thumbnails[0].sha256
        try:
            if kind == "plain":
                data = self._content(sha256)
                return {kind: Attachment(data, check_sent_picture(data))}
            people = tuple(one.box for one in event.detections if one.observation_type == "human")
            drawn = self.drawings.blurred(sha256, lambda: self._content(sha256), people)
            return {kind: Attachment(drawn, "image/jpeg")}
        except (Unreadable, CannotDraw) as error:
            LOG.warning("alert %s goes out without its picture: %s", alert.id, error)
        except (MediaMissing, StoreUnavailable, DrawingBusy, OSError):
            if self.now() - alert.raised_at < _PICTURE_WAIT:
                raise AttachmentPending(sha256) from None
        return {}

    def _content(self, sha256: str) -> bytes:
        with self.media.open(sha256) as file:
            return file.read()


def _known_kinds(incident: Incident, labels: KnownLabels) -> Incident:
    """Return the incident without labels that are free text of its stations."""
    severities: dict[str, Severity] = {}
    for kind, severity in incident.severities.items():
        known = labels.kind(kind)
        severities[known] = max(severities.get(known, severity), severity, key=severity_rank)
    return replace(incident, severities=severities)


def _held_words(alert: Alert, limit: int, language: Language, simulated: Collection[str]) -> MessageText:
    translate = language.translate
    what = translate("Station %(station)s: alerts are held back", station=alert.station)
    what = simulated_text(what, language) if alert.station in simulated else what
    body = translate(
        "Station %(station)s has raised %(count)s alerts in an hour. The rest is held back; look at the page.",
        station=alert.station,
        count=limit,
    )
    return MessageText(
        translate("[%(severity)s] %(what)s", severity=severity_name(alert.severity, language), what=what), body
    )


def _words(
    alert: Alert, incident: Incident, occurrences: Sequence[Occurrence], language: Language, simulated: Collection[str]
) -> MessageText:
    translate = language.translate
    severity = severity_name(alert.severity, language)
    lines = [*occurrence_sentences(occurrences, language)[:8]]
    if alert.cause != "first":
        lines.insert(0, translate("This incident is more severe than at the last alert."))
    lines += [
        translate("Station: %(stations)s", stations=translate(", ").join(incident.stations)),
        translate("Time: %(time)s", time=language.date_time(incident.started_at)),
    ]
    title = translate("[%(severity)s] %(what)s", severity=severity, what=headline(incident, alert, language, simulated))
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
