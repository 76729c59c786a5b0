"""Words for the steps, kinds, outcomes and deadlines of cases, and sentences about steps that are refused."""

from i18n.language import Language


def step_name(step: str, language: Language) -> str:
    """Translate a step of a case, such as "on_site"."""
    translate = language.translate
    return {
        "opened": translate("Case opened"),
        "acknowledged": translate("Acknowledged"),
        "assigned": translate("Assigned"),
        "on_site": translate("On site"),
        "finding": translate("Finding"),
        "evidence_registered": translate("Evidence registered"),
        "evidence_decided": translate("Registered evidence decided"),
        "decided": translate("Penalty decided"),
        "served": translate("Decision served"),
        "transfer_reported": translate("Transfer reported"),
        "transfer_approved": translate("Transfer approved"),
        "transfer_refused": translate("Transfer refused"),
        "handed_over": translate("Handed to police"),
        "police_answered": translate("Police answered"),
        "outcome": translate("Outcome"),
        "closed": translate("Closed"),
        "reopened": translate("Reopened"),
        "comment": translate("Comment"),
        "linked": translate("Records linked"),
        "viewed": translate("Viewed"),
        "exported": translate("Exported"),
    }.get(step, step)


def case_kind(kind: str, language: Language) -> str:
    """Translate the kind of a case, such as "hunting"."""
    translate = language.translate
    return {
        "hunting": translate("Illegal hunting"),
        "tools": translate("Forbidden tools"),
        "trade": translate("Illegal trade"),
        "trespass": translate("Unlawful entry"),
        "habitat": translate("Damage to habitat"),
        "rescue": translate("Rescue of an animal"),
        "other": translate("Other case"),
    }.get(kind, kind)


def outcome_name(outcome: str, language: Language) -> str:
    """Translate the outcome of a case, such as "unfounded"."""
    translate = language.translate
    return {
        "administrative": translate("Administrative penalty"),
        "criminal": translate("Criminal case"),
        "police": translate("Transferred to the police"),
        "rescued": translate("Animals rescued"),
        "warned": translate("Warned and educated"),
        "unfounded": translate("Unfounded"),
        "unknown_offender": translate("Offender not found"),
    }.get(outcome, outcome)


def deadline_name(name: str, language: Language) -> str:
    """Translate the name of a deadline of the law; others are names of the settings."""
    translate = language.translate
    return {
        "registered-evidence": translate("Decision on registered evidence"),
        "penalty-decision": translate("Decision on the penalty"),
        "service": translate("Service of the decision"),
        "transfer-approval": translate("Approval of the transfer"),
        "hand-over": translate("Hand-over to the police"),
        "police-answer": translate("Answer of the police"),
    }.get(name, name)


def evidence_sentence(use: str, stations: str, language: Language) -> str:
    """Return what records of stations may be used for, by ``Deployment.evidence_use``; "": not known."""
    if use == "reviewed-and-announced":
        return language.translate(
            "%(stations)s: the equipment was reviewed and announced, so its records may serve as evidence.",
            stations=stations,
        )
    if use == "lead":
        return language.translate(
            "%(stations)s: the equipment was not reviewed and announced. Its records are leads and not by themselves "
            "the ground of a penalty (Administrative Penalty Law, article 41).",
            stations=stations,
        )
    return language.translate(
        "%(stations)s: it is not known whether the equipment was reviewed and announced. Treat its records as leads.",
        stations=stations,
    )


def refusal(reason: str, language: Language) -> str:
    """Return the sentence for a step that was refused, by ``CaseRefused.reason``."""
    translate = language.translate
    return {
        "closed": translate("The case is closed. Reopen it first."),
        "open": translate("The case is not closed."),
        "outcome": translate("A case is closed with an outcome only. Choose one."),
        "team": translate("Enter who is assigned."),
        "finding": translate("Enter what was found, or a text."),
        "text": translate("Enter a text."),
        "linked": translate("These records belong to the case already."),
        "records": translate("Open the case from a capture or an incident of your area."),
        "number": translate("Expected a whole number from 0 to 1,000,000."),
        "unreadable": translate("An entry of this case cannot be read, so nothing can be added. Nothing was recorded."),
        "missing": translate("There is no case of this number."),
    }.get(reason, translate("A value is missing or too long."))
