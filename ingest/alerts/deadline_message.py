"""Message of an alert about a deadline of a case that is near or has passed."""

from collections.abc import Mapping

from casebook.cases.repository import Cases
from casebook.incidents.repository import Alert
from contract.severity import Severity
from i18n.case_words import case_kind, deadline_name
from i18n.language import Language
from ingest.alerts.port import Message, MessageText


def severity_name(severity: Severity, language: Language) -> str:
    """Translate a severity for the title of a message."""
    translate = language.translate
    return {"notice": translate("Notice"), "warning": translate("Warning"), "urgent": translate("Urgent")}[severity]


def deadline_message(alert: Alert, cases: Cases | None, address: str, languages: Mapping[str, Language]) -> Message:
    """Return the message of an alert about a deadline; it names the case by number, kind and team only.

    Args:
        alert: The alert, whose ``subject`` is the number of the case and whose ``kind`` is the deadline.
        cases: Source of cases.
        address: Base URL of the pages; "": the message has no link.
        languages: Languages by code.

    Raises:
        StoreUnavailable: the casebook does not answer.
    """
    case = cases.case(alert.subject) if cases else None
    if cases is None or case is None:
        raise LookupError(f"alert {alert.id}: case {alert.subject} is not in the casebook")
    deadlines = cases.deadlines(cases.entries(case.number))
    deadline = next((one for one in deadlines if one.rule.name == alert.kind), None)
    if deadline is None:
        raise LookupError(f"alert {alert.id}: case {case.number} has no deadline {alert.kind!r}")
    link = f"{address.rstrip('/')}/cases/{case.number}" if address else ""
    words = {}
    for code, language in languages.items():
        translate = language.translate
        name, due_at = deadline_name(alert.kind, language), language.date_time(deadline.due_at)
        if alert.cause == "passed":
            what = translate("Case %(number)s: %(deadline)s was due", number=case.number, deadline=name)
            line = translate("The deadline passed on %(time)s.", time=due_at)
        else:
            what = translate("Case %(number)s: %(deadline)s is due soon", number=case.number, deadline=name)
            line = translate("The deadline ends on %(time)s.", time=due_at)
        lines = [line, *([deadline.rule.source] if deadline.rule.source else []), case_kind(case.kind, language)]
        if case.team:
            lines.append(translate("Team: %(team)s", team=case.team))
        severity = severity_name(alert.severity, language)
        title = translate("[%(severity)s] %(what)s", severity=severity, what=what)
        words[code] = MessageText(title, "\n".join(lines))
    record = {
        "schema": "1.0",
        "alert_id": alert.id,
        "incident_id": "",
        "case": case.number,
        "deadline": alert.kind,
        "cause": alert.cause,
        "severity": alert.severity,
        "raised_at": alert.raised_at.isoformat(),
        "due_at": deadline.due_at.isoformat(),
        "link": link,
        "text": {code: {"title": one.title, "body": one.body} for code, one in words.items()},
    }
    return Message(alert, words, link, {}, record)
