"""Content that is not what its message says is quarantined with the reason, and the rest of its batch is kept."""

from datetime import UTC, datetime

import pytest

from contract import encode, topic_of
from contract.examples import EVENT
from ingest.receive.batch import Batch, ReceivedMessage, read_batch
from tests.bombs import png_of, silence
from tests.media_messages import content_of

NOW = datetime(2026, 5, 31, tzinfo=UTC)


def read(data: bytes, claimed: str, role: str) -> Batch:
    """Read a batch of an event and media content."""
    content = content_of(data, type=claimed, role=role)
    return read_batch(
        [
            ReceivedMessage(topic_of("wildpost", EVENT.station, "event"), encode(EVENT), NOW),
            ReceivedMessage(topic_of("wildpost", EVENT.station, "media"), encode(content), NOW),
        ]
    )


@pytest.mark.parametrize(
    ("data", "claimed", "role"),
    [
        (b"\xff\xd8\xff\xe0", "image/jpeg", "thumbnail"),
        (png_of(8, 8), "IMAGE/PNG", "thumbnail"),
        (silence(100), "audio/x-flac", "clip"),
    ],
)
def test_content_of_the_type_that_its_message_says_is_kept(data: bytes, claimed: str, role: str) -> None:
    batch = read(data, claimed, role)
    assert [content.data for content, _ in batch.contents] == [data] and batch.unusable == []


@pytest.mark.parametrize(
    ("data", "claimed", "role", "detail"),
    [
        (b"<script>alert(1)</script>", "image/jpeg", "thumbnail", "starts with b'<script>'"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "image/jpeg", "thumbnail", "starts with b'%!PS-Ado'"),
        (b"<svg onload='alert(1)'/>", "image/svg+xml", "thumbnail", "starts with b'<svg onl'"),
        (png_of(8, 8), "image/jpeg", "thumbnail", "its content is image/png"),
        (b"\xff\xd8\xff\xe0", "text/html", "thumbnail", "'text/html': its content is image/jpeg"),
        (b"\xff\xd8\xff\xe0", "image/jpeg\0", "thumbnail", "its content is image/jpeg"),
        (silence(100), "audio/flac", "thumbnail", "expected image/jpeg, image/png"),
        (png_of(8, 8), "image/png", "clip", "expected audio/mpeg, audio/flac, audio/wav"),
        (b"ID3\x04\0\0\0\0\0\0FORM\0\0\0\x10AIFF", "audio/mpeg", "clip", "expected audio/mpeg"),
        (b"", "image/jpeg", "thumbnail", "starts with b''"),
    ],
)
def test_other_content_is_quarantined_and_its_event_is_kept(data: bytes, claimed: str, role: str, detail: str) -> None:
    batch = read(data, claimed, role)
    assert batch.contents == [] and [item.record for item in batch.records] == [EVENT]
    (refused,) = batch.unusable
    assert (refused.reason, refused.station) == ("type", EVENT.station)
    assert detail in refused.detail
