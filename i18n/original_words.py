"""Words for the original of a capture, which stays on the station until somebody asks for it."""

from typing import Literal

from i18n.language import Language

OriginalKind = Literal["picture", "recording", "film"]
OriginalState = Literal["", "asked", "waiting", "coming", "came", "gone", "failed"]


def original_name(kind: OriginalKind, language: Language) -> str:
    """Return the heading for the original of a capture."""
    translate = language.translate
    return {
        "picture": translate("Full picture"),
        "recording": translate("Whole recording"),
        "film": translate("Whole film"),
    }[kind]


def original_request(kind: OriginalKind, language: Language) -> str:
    """Return the words on the button that asks a station for an original."""
    translate = language.translate
    return {
        "picture": translate("Ask for the full picture"),
        "recording": translate("Ask for the whole recording"),
        "film": translate("Ask for the whole film"),
    }[kind]


def original_state(state: OriginalState, language: Language) -> str:
    """Return what became of a request for an original."""
    translate = language.translate
    return {
        "": translate("On the station"),
        "asked": translate("Asked, not sent to the station yet"),
        "waiting": translate("Asked, waiting for the station"),
        "coming": translate("The station is sending it"),
        "came": translate("Arrived"),
        "gone": translate("The station no longer has it"),
        "failed": translate("It did not arrive"),
    }[state]
