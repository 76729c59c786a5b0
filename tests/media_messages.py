"""Messages of media with content of the test's own."""

import hashlib
from typing import Any

import msgspec

from contract import Media, MediaContent
from contract.examples import MEDIA_CONTENT


def content_of(data: bytes, **changes: Any) -> MediaContent:
    """Return the example of media content with other bytes and their hash, and with other values of further fields."""
    return msgspec.structs.replace(MEDIA_CONTENT, data=data, sha256=hashlib.sha256(data).hexdigest(), **changes)


def medium_of(content: MediaContent, **changes: Any) -> Media:
    """Return what the event of media content says about it."""
    size = len(content.data)
    return Media(sha256=content.sha256, type=content.type, size=size, role=content.role, **changes)
