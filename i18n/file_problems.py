"""Why a station could not use a file, for who stands before it: its own words are for who mends programs."""

import re

from i18n.language import Language


def why_unusable(detail: str, language: Language) -> str:
    """Say in one sentence what is wrong with a file, by the words in which its reader gave up; "": nothing simpler."""
    say = language.say
    sentences = {
        r"\bempty file \(0 bytes\)|: 0 bytes: ": say("The file is empty: often a card that was full or taken out."),
        r"\bcut off after\b|\bbreaks off after\b": say("The file ends in the middle: it was not written to its end."),
        r"\bbroken inside\b|\bwhere a marker should be\b": say("The file is damaged inside: is the card failing?"),
        r"\bnot a JPEG, PNG or TIFF\b": say("This is not a picture, whatever its name says."),
        r"\bexpected WAV, FLAC, MP3 or OGG\b": say("This is not a recording that can be read."),
        r"\bno sound in it\b|\bno samples\b": say("There is no sound in this recording."),
        r"\bexpected at most \d+ pixels\b|\bexpected a picture of at most\b": say("The picture is too large."),
        r"\bthe broker takes at most\b": say("The message is larger than the broker takes."),
        r"\bthe broker refused it\b": say("The broker did not take the message."),
    }
    return next((sentence for words, sentence in sentences.items() if re.search(words, detail)), "")
