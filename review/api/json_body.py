"""Decodes the JSON body of a request."""

from typing import TypeVar

import msgspec

from i18n.request_problems import Expected
from review.problems import InvalidRequest

Sent = TypeVar("Sent")


def decoded(decoder: msgspec.json.Decoder[Sent], body: bytes, expected: Expected) -> Sent:
    """Return the decoded body.

    Raises:
        InvalidRequest: the body is not what was expected.
    """
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidRequest(expected) from error
