"""Translates the codes of clock sources and quarantine reasons that stored records contain."""

from i18n.language import Language


def clock_source(source: str, language: Language) -> str:
    """Translate the code of a clock source, such as "gps", to its name in a language."""
    translate = language.translate
    return {
        "gps": translate("satellites (GPS)"),
        "ntp": translate("the network (NTP)"),
        "rtc": translate("a clock chip"),
        "exif": translate("the camera (EXIF)"),
        "recorder": translate("the recorder (metadata)"),
        "name": translate("the file name"),
        "copy": translate("when the file was copied"),
        "corrected": translate("corrected on the server"),
        "system": translate("the station's own clock"),
        "file": translate("the file"),
        "none": translate("not known"),
    }.get(source, source)


def quarantine_reason(reason: str, language: Language) -> str:
    """Translate the code of a quarantine reason, such as "topic", to its name in a language."""
    translate = language.translate
    return {
        "file": translate("file"),
        "remark": translate("analysed, but not in order"),
        "topic": translate("wrong topic"),
        "version": translate("unsupported version"),
        "size": translate("too large"),
        "budget": translate("more than the budget"),
        "syntax": translate("cannot be read"),
        "shape": translate("wrong content"),
        "station": translate("wrong station"),
        "hash": translate("damaged in transit"),
        "type": translate("not the stated type"),
        "error": translate("error in the server"),
        "revoked": translate("revoked password"),
        "conflict": translate("conflict with a stored record"),
    }.get(reason, reason)
