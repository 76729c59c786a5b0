"""Translates a technical message about an unusable file into a sentence for the station's operator or a ranger."""

import re

from i18n.language import Language


def explain_file_problem(detail: str, language: Language) -> str:
    """Return one sentence about a file problem, chosen by patterns in the technical message; "" if none matches."""
    translate = language.translate
    sentence_by_pattern = {
        r"\bempty file \(0 bytes\)|: 0 bytes: ": translate(
            "The file is empty. Often the memory card was full or was removed."
        ),
        r"\bcut off after\b|\bbreaks off after\b": translate("The file is incomplete: writing was interrupted."),
        r"\bbroken inside\b|\bwhere a marker should be\b": translate("The file is damaged. Check the memory card."),
        r"\bnot a JPEG, PNG or TIFF\b": translate("The file is not a picture, although its name says so."),
        r"\bexpected WAV, (W64|FLAC, MP3 or OGG)\b": translate("The file is not a readable recording."),
        r"\bno sound in it\b|\bno samples\b": translate("There is no sound in this recording."),
        r"\bexpected at most \d+ pixels\b|\bexpected a picture of at most\b": translate("The picture is too large."),
        r"\bexpected a clip of at most\b": translate("The recording is too long to be drawn."),
        r"\bdrawing it (took|needs|ended)\b": translate("Drawing it takes too much memory or time."),
        r"\bexpected a JPEG, PNG, MP3\b": translate(
            "The file is neither a picture nor a recording of an accepted form."
        ),
        r"\bthe broker takes at most\b": translate("The message exceeds the size limit of the message broker."),
        r"\bthe broker refused it\b": translate("The message broker refused the message."),
    }
    return next((sentence for pattern, sentence in sentence_by_pattern.items() if re.search(pattern, detail)), "")
