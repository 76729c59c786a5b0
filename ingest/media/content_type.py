"""Check that the content of a thumbnail or clip has the media type that its message names."""

from captures.media_type import FILM_TYPES, PICTURE_TYPES, SOUND_TYPES, media_type, same_type
from contract import Malformed, MediaContent, Record

_ROLES = {"thumbnail": PICTURE_TYPES, "clip": SOUND_TYPES + FILM_TYPES, "original": PICTURE_TYPES + SOUND_TYPES}


def check_type(record: Record) -> None:
    """Check the first bytes of media content; accept every other record.

    Raises:
        Malformed: the content is none of the forms that stations send, or another than the message says.
    """
    if not isinstance(record, MediaContent):
        return
    found = media_type(record.data)
    if found is None or found not in _ROLES[record.role]:
        expected = ", ".join(_ROLES[record.role])
        raise Malformed("type", f"{record.role} that starts with {record.data[:8]!r}: expected {expected}")
    if not same_type(record.type, found):
        raise Malformed("type", f"{record.role} of type {record.type[:100]!r}: its content is {found}")
