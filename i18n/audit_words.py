"""Names of the actions in the audit log."""

from i18n.language import Language


def action_name(action: str, language: Language) -> str:
    """Return the name of an action; an action without a name as it is."""
    translate = language.translate
    names = {
        "signed in": translate("signed in"),
        "sign-in failed": translate("sign-in failed"),
        "signed out": translate("signed out"),
        "sessions ended": translate("sessions ended"),
        "decided": translate("decided"),
        "withdrew": translate("withdrew a decision"),
        "resolved": translate("marked as fixed"),
        "viewed": translate("viewed people"),
        "exported": translate("exported"),
        "account added": translate("account added"),
        "account changed": translate("account changed"),
        "account disabled": translate("account disabled"),
        "account enabled": translate("account enabled"),
        "password changed": translate("password changed"),
        "area set": translate("area set"),
        "area removed": translate("area removed"),
    }
    return names.get(action, action)
