"""Words for the settings that the server wants of a station, and for the budget of its link."""

from typing import Literal

from i18n.language import Language

SettingsState = Literal["none", "waiting", "on trial", "in force", "rolled back", "refused", "expired"]


def settings_state(state: SettingsState, language: Language) -> str:
    """Return what became of the settings that the server sent."""
    translate = language.translate
    return {
        "none": translate("As in the station's own file"),
        "waiting": translate("Waiting for the station"),
        "on trial": translate("On trial"),
        "in force": translate("In force"),
        "rolled back": translate("Rolled back by the station"),
        "refused": translate("Refused by the station"),
        "expired": translate("Expired, not applied"),
    }[state]


def held_reason(reason: str, language: Language) -> str:
    """Return why media wait on a station."""
    translate = language.translate
    return {
        "day": translate("The budget of the link for the day is used up."),
        "month": translate("The budget of the link for the month is used up."),
        "quiet hours": translate("Quiet hours."),
    }.get(reason, reason)
