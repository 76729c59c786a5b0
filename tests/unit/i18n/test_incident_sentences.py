"""An incident in one line begins with what matters most in it."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from casebook.incidents.occurrence import Occurrence
from casebook.incidents.reader import Incident, IncidentMember
from contract.severity import Severity
from i18n.incident_sentences import headline
from i18n.language import load_languages

AT = datetime(2026, 4, 12, 20, 0, tzinfo=UTC)
ENGLISH = load_languages(ZoneInfo("Asia/Shanghai"))["en"]


def happened(kind: str, severity: Severity) -> IncidentMember:
    return IncidentMember(
        Occurrence(
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
    occurrences = (happened("engine", "notice"), happened("voice", "notice"), happened("gunshot", "urgent"))
    incident = Incident("one", AT, AT, "urgent", 0.9, False, True, occurrences, ())
    assert headline(incident, None, ENGLISH) == "gunshot, engine, voice at ridge-07"
