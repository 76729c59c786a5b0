"""Media type of a thumbnail or clip by its first bytes, for the forms that stations send; a claim can be wrong.

Stations write JPEG thumbnails, MP3 clips of sounds and MP4 clips of films; PNG, FLAC and WAV are accepted from other
senders.
"""

from captures.mp3_tags import bytes_after_tags, is_mp3_frame

PICTURE_TYPES = ("image/jpeg", "image/png")
SOUND_TYPES = ("audio/mpeg", "audio/flac", "audio/wav")
FILM_TYPES = ("video/mp4",)
_MP4_BRANDS = (b"isom", b"iso2", b"iso4", b"iso5", b"iso6", b"mp41", b"mp42", b"avc1")
_OTHER_NAMES = {
    "image/jpg": "image/jpeg",
    "audio/mp3": "audio/mpeg",
    "audio/x-flac": "audio/flac",
    "audio/wave": "audio/wav",
    "audio/x-wav": "audio/wav",
}


def media_type(data: bytes) -> str | None:
    """Return the media type of a picture, sound or film by its signature; None if it is none of the accepted forms."""
    if data[:2] == b"\xff\xd8":
        return "image/jpeg"
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        return "image/png"
    if data[:4] == b"RIFF" and data[8:12] == b"WAVE":
        return "audio/wav"
    if data[:4] == b"fLaC":
        return "audio/flac"
    if data[4:8] == b"ftyp" and data[8:12] in _MP4_BRANDS:
        return "video/mp4"
    if is_mp3_frame(bytes_after_tags(lambda at: data[at : at + 12])):
        return "audio/mpeg"
    return None


def same_type(claimed: str, found: str) -> bool:
    """Return whether a claimed media type is the found one, by its registered or another common name."""
    lower = claimed.lower()
    return _OTHER_NAMES.get(lower, lower) == found
