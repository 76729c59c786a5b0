"""An incident in one line begins with what matters most in it."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from casebook.incidents.reader import Incident
from contract.severity import Severity
from i18n.incident_sentences import headline
from i18n.language import load_languages

AT = datetime(2026, 4, 12, 20, 0, tzinfo=UTC)
ENGLISH = load_languages(ZoneInfo("Asia/Shanghai"))["en"]


def test_a_shot_stands_before_the_engines_that_were_heard_first() -> None:
    severities: dict[str, Severity] = {"engine": "notice", "voice": "notice", "gunshot": "urgent"}
    incident = Incident("one", AT, AT, "urgent", 0.9, False, True, severities, ("ridge-07",), 3, 3, 0)
    assert headline(incident, None, ENGLISH) == "gunshot, engine, voice at ridge-07"


def test_only_an_incident_of_simulated_stations_alone_is_called_simulated() -> None:
    severities: dict[str, Severity] = {"gunshot": "urgent"}
    joint = Incident("one", AT, AT, "urgent", 0.9, False, True, severities, ("sim-001", "ridge-07"), 2, 2, 1)
    assert headline(joint, None, ENGLISH, {"sim-001"}) == "gunshot at sim-001"
    assert headline(joint, None, ENGLISH, {"sim-001", "ridge-07"}) == "SIMULATED: gunshot at sim-001"
