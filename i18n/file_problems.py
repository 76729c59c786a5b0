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
        r"\bheader was never finished\b": translate(
            "The recorder was interrupted before it finished the file, as in a power cut. All sound in it was analysed."
        ),
        r"\bsizes wrap at 4 GiB\b": translate(
            "The recording is longer than its header says. All sound in it was analysed."
        ),
        r"\bdamaged inside\b": translate(
            "A part of the recording is damaged. The rest was analysed. Check the memory card."
        ),
        r"\bchannel \d+ is dead\b": translate(
            "One channel of the recorder has no signal. The others were analysed. Check the microphone and its cable."
        ),
        r"\bchannel \d+ is inverted\b": translate(
            "One channel of the recorder is inverted. Both were analysed. Check the wiring of the microphone."
        ),
        r"\bchannel \d+ is clipped\b": translate(
            "One channel of the recorder is overdriven. The others were analysed too. Lower its gain."
        ),
        r"\bchannel \d+ is noisy\b": translate(
            "One channel of the recorder has nothing but noise. The others were analysed. Replace the microphone."
        ),
        r"\bcut off: the header says\b|\bcut off inside its last block\b": translate(
            "The recording was cut off. What is there was analysed."
        ),
        r"\bcut off after\b|\bthe file is cut off\b|\bindex \(moov\) is missing\b|\bbreaks off after\b": translate(
            "The file is incomplete: writing was interrupted."
        ),
        r"\bbroken inside\b|\bwhere a marker should be\b": translate("The file is damaged. Check the memory card."),
        r"\bnot a JPEG, PNG or TIFF\b": translate("The file is not a picture, although its name says so."),
        r"\bexpected WAV, (W64|FLAC, MP3 or OGG)\b": translate("The file is not a readable recording."),
        r"\bno sound in it\b|\bno samples\b": translate("There is no sound in this recording."),
        r"\bexpected at most \d+ pixels\b|\bexpected a picture of at most\b": translate("The picture is too large."),
        r"\bexpected a clip of at most\b": translate("The recording is too long to be drawn."),
        r"\bdrawing it (took|needs|ended)\b": translate("Drawing it takes too much memory or time."),
        r"\bdecoding it (took|needs|ended|failed)\b": translate(
            "The file cannot be decoded: it is damaged, or takes too much memory or time."
        ),
        r"\bwithout (pictures|a sound track)\b": translate("The sensor has no detector for what is in this film."),
        r"\bexpected a JPEG, PNG, MP3\b": translate(
            "The file is neither a picture nor a recording of an accepted form."
        ),
        r"\bsymbolic links\b|\ba link to a file\b": translate(
            "The entry is a link, or it points to itself. Copy the file itself into the folder."
        ),
        r"\bPermission denied\b": translate(
            "The station may not read the file. Correct its permissions; the station then reads it by itself."
        ),
        r"\bInput/output error\b|\bStructure needs cleaning\b": translate(
            "The memory card is damaged at this place. Copy what can be read, then replace the card."
        ),
        r"\bby its first bytes: expected\b": translate(
            "The file is not what its name says, and not of a form that the station reads."
        ),
        r"\bthe broker takes at most\b": translate("The message exceeds the size limit of the message broker."),
        r"\bthe broker refused it\b": translate("The message broker refused the message."),
    }
    return next((sentence for pattern, sentence in sentence_by_pattern.items() if re.search(pattern, detail)), "")
