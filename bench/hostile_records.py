"""Hostile records that are valid messages: other events under known ids, and media that are expensive or no media."""

import contextlib
import hashlib
import tempfile
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from bench.breaking import memory_mb, metric_total, mosquitto_program, process_on
from bench.hostile_attack import Sender
from bench.hostile_messages import Hostile
from bench.latency import port_of, running_server
from contract import Event, Media, MediaContent, encode, new_event_id, topic_of
from contract.examples import EVENT
from tests.bombs import flac_that_says, png_of, silence
from tests.conftest import Mosquitto
from tests.eventually import eventually

TIMEOUT_S = 120.0
RECEIVED = "wildpost_messages_received_total"


@dataclass
class RecordsOutcome:
    """Counts of one run.

    Attributes:
        conflicts: Number of events sent under the id of another.
        quarantined: Number of messages in quarantine.
        media: Number of expensive or wrong media sent.
        answers: Number of answers of the pages about them, by HTTP status.
        altered: Ids of first events that a later one has replaced.
        memory_mb: Largest memory of all processes of the server, in MB, while the pages showed the media.
    """

    conflicts: int = 0
    quarantined: int = 0
    media: int = 0
    answers: Counter[int] = field(default_factory=Counter)
    altered: list[str] = field(default_factory=list)
    memory_mb: float = 0.0

    @property
    def failed_answers(self) -> int:
        """Number of answers with a status of 500 or more, except 503 (temporarily unavailable)."""
        return sum(number for status, number in self.answers.items() if status >= 500 and status != 503)


def hostile_media() -> Iterator[tuple[str, str, bytes]]:
    """Yield the role, the stated type and the bytes of media that are expensive to open, broken, or something else."""
    large, still = png_of(13_300, 13_300), silence(48_000)
    yield "thumbnail", "image/png", large
    yield "thumbnail", "image/png", png_of(60_000, 60_000, rows=10)
    yield "thumbnail", "image/jpeg", large
    yield "thumbnail", "image/jpeg", b"\xff\xd8\xff\xe0" + bytes(range(256)) * 40
    yield "thumbnail", "image/jpeg", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"
    yield "thumbnail", "image/svg+xml", b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>"
    yield "thumbnail", "text/html", b"<script>alert(1)</script>"
    yield "clip", "audio/flac", silence(48_000 * 1_800, channels=8)
    yield "clip", "audio/flac", flac_that_says(2**36 - 1, still)
    yield "clip", "audio/flac", still[: len(still) // 2]
    yield "clip", "audio/wav", b"RIFF\xff\xff\xff\xffWAVEfmt \x10\x00\x00\x00" + b"\xff" * 200


def with_medium(role: str, stated: str, data: bytes) -> tuple[Event, MediaContent]:
    """Return an event and the content of its only medium."""
    digest = hashlib.sha256(data).hexdigest()
    medium = Media(sha256=digest, type=stated, size=len(data), role=role)  # type: ignore[arg-type]
    event = msgspec.structs.replace(EVENT, event_id=new_event_id(), media=(medium,))
    content = MediaContent(
        event_id=event.event_id,
        station=event.station,
        sha256=digest,
        type=stated,
        role=role,  # type: ignore[arg-type]
        data=data,
    )
    return event, content


def attack_with_records(conflicts: int) -> RecordsOutcome:
    """Send the hostile records to a new `wildpost serve`, and open all pages about them."""
    outcome = RecordsOutcome()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        broker = Mosquitto(mosquitto_program(), folder / "broker", "allow_anonymous true\nautosave_on_changes false\n")
        stack.callback(broker.kill)
        url = stack.enter_context(running_server(folder, broker.port, ""))
        sender = Sender(broker.port)
        stack.callback(sender.close)
        port = port_of(url)
        sent = 0

        def send(records: list[Event | MediaContent]) -> None:
            nonlocal sent
            sender.send([Hostile("", _topic(one), encode(one)) for one in records])
            sent += len(records)
            eventually(lambda: metric_total(port, RECEIVED) >= sent, "the server to receive the messages", TIMEOUT_S)

        first = [msgspec.structs.replace(EVENT, event_id=new_event_id(), media=()) for _ in range(20)]
        send([*first])
        seen = EVENT.detections[0]
        others = [
            msgspec.structs.replace(
                first[number % len(first)], detections=(msgspec.structs.replace(seen, label=f"other {number}"),)
            )
            for number in range(conflicts)
        ]
        send([*others])
        outcome.conflicts = len(others)
        for one in first:
            _, body = _answer(f"{url}events/{one.event_id}.json")
            if b"other" in body:
                outcome.altered.append(one.event_id)

        server = process_on(port)
        for role, stated, data in hostile_media():
            event, content = with_medium(role, stated, data)
            send([event, content])
            outcome.media += 1
            pages = (f"events/{event.event_id}", f"media/{content.sha256}")
            for page in (*pages, f"events/{event.event_id}/spectrogram-{content.sha256}.png", "?show=all"):
                status, _ = _answer(url + page)
                outcome.answers[status] += 1
                outcome.memory_mb = max(outcome.memory_mb, memory_mb(server))
        outcome.quarantined = int(metric_total(port, "wildpost_messages_quarantined_total"))
    return outcome


def _topic(record: Event | MediaContent) -> str:
    return topic_of("wildpost", record.station, "event" if isinstance(record, Event) else "media")


def _answer(url: str) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(url, timeout=120) as answer:  # noqa: S310, ours
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()
