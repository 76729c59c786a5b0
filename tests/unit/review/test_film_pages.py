"""The page of a film and the queue show its poster and play its clip; the clip is served as nothing but a film."""

import hashlib
import re
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from captures.film import film_clip, read_film
from casebook.records import MediaEntry
from contract import Box, Span, encode, new_event_id
from ingest.store.port import Received
from tests.films import write_film
from tests.media_messages import content_of, medium_of
from tests.unit.review.test_answers import NOON, PICTURE, Pages, pages

__all__ = ["pages"]
WORDS = {"en": "Play the film", "zh-CN": "播放视频"}


def film(pages: Pages, folder: Path) -> tuple[str, str]:
    """Store a film's event, poster and clip; return its id, and the hash of the clip."""
    clip = film_clip(read_film(write_film(folder / "a.avi", seconds=2)), 0.0)
    event_id, media = new_event_id(), []
    for content in (content_of(PICTURE), content_of(clip, type="video/mp4", role="clip")):
        medium = medium_of(content)
        pages.media.put(content.data, content.sha256)
        media.append(medium)
        entry = MediaEntry(event_id, medium.sha256, medium.type, medium.role, medium.size, "ridge-07", NOON)
        pages.casebook.add_media([entry])
    example = pages.capture()
    seen = msgspec.structs.replace(
        example.detections[0], box=Box(0.1, 0.1, 0.5, 0.5), span=Span(start_s=0.5, end_s=1.5)
    )
    event = msgspec.structs.replace(
        example, event_id=event_id, capture="film", duration_s=2.0, media=tuple(media), detections=(seen,)
    )
    pages.store.write([Received(event, encode(event), datetime.now(UTC))])
    return event_id, media[1].sha256


@pytest.mark.parametrize("language", list(WORDS))
def test_the_page_and_the_queue_show_the_poster_and_play_the_clip(pages: Pages, tmp_path: Path, language: str) -> None:
    event_id, clip = film(pages, tmp_path)
    for address in (f"/events/{event_id}", "/?show=unreviewed"):
        page = pages.client.get(address, params={"lang": language}, headers={"accept": "text/html"}).text
        playing = re.search(rf'<video[^>]*src="/media/{clip}"', page)
        assert playing is not None, address
        assert f'poster="/media/{hashlib.sha256(PICTURE).hexdigest()}"' in playing[0] and "autoplay" not in playing[0]
        assert WORDS[language] in page
        assert 'class="boxes"' in page and "<audio" not in page


def test_what_was_seen_in_a_film_is_not_marked_as_heard(pages: Pages, tmp_path: Path) -> None:
    event_id, _ = film(pages, tmp_path)
    page = pages.client.get(f"/events/{event_id}", params={"lang": "en"}, headers={"accept": "text/html"}).text
    assert "0.5–1.5" in page and "spectrogram" not in page


def test_the_clip_is_served_as_a_film_and_in_parts(pages: Pages, tmp_path: Path) -> None:
    _, clip = film(pages, tmp_path)
    whole = pages.client.get(f"/media/{clip}")
    assert (whole.status_code, whole.headers["content-type"]) == (200, "video/mp4")
    assert whole.headers["x-content-type-options"] == "nosniff"
    part = pages.client.get(f"/media/{clip}", headers={"range": "bytes=0-99"})
    assert (part.status_code, part.content) == (206, whole.content[:100])


def test_another_form_of_film_is_not_served(pages: Pages, tmp_path: Path) -> None:
    data = write_film(tmp_path / "b.mp4", codec="mpeg4").read_bytes()
    sha256 = hashlib.sha256(data).hexdigest()
    pages.media.put(data, sha256)
    answer = pages.client.get(f"/media/{sha256}?lang=en")
    assert answer.status_code == 415 and "expected one of H.264" in answer.json()["error"]
