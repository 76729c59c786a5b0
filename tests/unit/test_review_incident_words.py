"""An incident in one line begins with what matters most in it."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from ingest.flags import Severity
from ingest.incidents.happening import Happening
from ingest.incidents.reading import Happened, Incident
from review.incident_words import headline
from review.language import load_languages

AT = datetime(2026, 4, 12, 20, 0, tzinfo=UTC)
ENGLISH = load_languages(ZoneInfo("Asia/Shanghai"))["en"]


def happened(kind: str, severity: Severity) -> Happened:
    return Happened(
        Happening(
            subject=kind,
            kind=kind,
            source="sound",
            station="ridge-07",
            at=AT,
            received_at=AT,
            location=None,
            severity=severity,
            confidence=0.9,
        ),
        None,
    )


def test_a_shot_stands_before_the_engines_that_were_heard_first() -> None:
    happenings = (happened("engine", "notice"), happened("voice", "notice"), happened("gunshot", "urgent"))
    incident = Incident("one", AT, AT, "urgent", 0.9, False, True, happenings, ())
    assert headline(incident, None, ENGLISH) == "gunshot, engine, voice at ridge-07"
