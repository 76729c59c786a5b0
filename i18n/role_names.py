"""Names of the roles of accounts."""

from i18n.language import Language


def role_name(role: str, language: Language) -> str:
    """Return the name of a role; a role without a name as it is."""
    translate = language.translate
    names = {
        "administrator": translate("Administrator"),
        "manager": translate("Manager"),
        "ranger": translate("Ranger"),
        "technician": translate("Technician"),
        "analyst": translate("Analyst"),
        "police_guest": translate("Police guest"),
    }
    return names.get(role, role)
