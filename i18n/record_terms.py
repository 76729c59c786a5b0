"""What a record says in one word, in words a reader knows."""

from i18n.language import Language


def clock_source(source: str, language: Language) -> str:
    """Say where a time came from."""
    say = language.say
    return {
        "gps": say("satellites (GPS)"),
        "ntp": say("the network (NTP)"),
        "rtc": say("a clock chip"),
        "exif": say("the camera (EXIF)"),
        "system": say("the station's own clock"),
        "file": say("the file"),
        "none": say("no clock"),
    }.get(source, source)


def why_set_aside(reason: str, language: Language) -> str:
    """Say of which sort the reason is for which something could not be used."""
    say = language.say
    return {
        "file": say("file"),
        "topic": say("wrong topic"),
        "version": say("another version"),
        "size": say("too large"),
        "syntax": say("cannot be read"),
        "shape": say("wrong content"),
        "station": say("of another station"),
        "hash": say("damaged on its way"),
    }.get(reason, reason)
