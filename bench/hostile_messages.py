"""Generator of hostile messages: broken, invalid or oversized, with another station's name, or with injections.

Hypothesis generates them; the same seed gives the same messages, without duplicates.
"""

import gzip
import io
import json
import random
import zipfile
from collections.abc import Iterator
from itertools import count as count_up
from itertools import product
from typing import NamedTuple

import hypothesis
import msgspec
from hypothesis import HealthCheck, Phase
from hypothesis import strategies as st

from bench.hostile_forms import (
    FREE_PLACES,
    INJECTIONS,
    NUMBER_PLACES,
    SORTS,
    STATION,
    TIME_PLACES,
    TIMES,
    TREES,
    with_value,
)
from contract import LIMIT_BYTES, topic_of
from contract.examples import EXAMPLES

ROUND_SIZE, LIST_SIZE = 500, 10
EVERY_BIG = 250  # one message in this many is oversized


class Hostile(NamedTuple):
    """An MQTT message that the benchmark sends to the server: a hostile message, or a valid one.

    Attributes:
        sort: Kind of fault; "" for a valid message.
        topic: MQTT topic.
        payload: Bytes of the message.
        content_type: MQTT 5 property; "": none.
    """

    sort: str
    topic: str
    payload: bytes
    content_type: str = ""


def hostile_messages(count: int, seed: int) -> Iterator[Hostile]:
    """Yield ``count`` different hostile messages, generated a few hundred at a time."""
    seen: set[int] = set()
    big = _oversized(random.Random(seed))
    for made_round in count_up():
        for message in _round(seed * 1_000_003 + made_round) if made_round else _known(random.Random(seed)):
            if len(seen) and len(seen) % EVERY_BIG == 0:
                message = next(big)
            key = hash((message.topic, message.payload))
            # Empty messages are permission tests of stations, which the server ignores.
            if key in seen or not message.payload:
                continue
            seen.add(key)
            yield message
            if len(seen) == count:
                return


def _round(seed: int) -> list[Hostile]:
    found: list[Hostile] = []
    rng = random.Random(seed)

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=ROUND_SIZE // LIST_SIZE,
        phases=[Phase.generate],
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @hypothesis.given(st.lists(st.sampled_from(list(SORTS)).flatmap(_of), min_size=LIST_SIZE, max_size=LIST_SIZE))
    def collect(messages: list[Hostile]) -> None:
        found.extend(_with_new_ids(message, rng) for message in messages)

    collect()
    return found


def _of(sort: str) -> st.SearchStrategy[Hostile]:
    return SORTS[sort].map(lambda made: Hostile(sort, *made))


# Ids in the examples, which each message replaces with new ones; else valid messages would be duplicates.
_IDS = [
    value.encode()
    for name, (_, record) in EXAMPLES.items()
    for field, value in msgspec.to_builtins(record).items()
    if field in ("event_id", "effort_id", "report_id") and name != "media"
]


def _with_new_ids(message: Hostile, chance: random.Random) -> Hostile:
    payload = message.payload
    for old in _IDS:
        if old in payload:
            new = f"{chance.getrandbits(32):08x}-{chance.getrandbits(16):04x}-7000-8000-{chance.getrandbits(48):012x}"
            payload = payload.replace(old, new.encode())
    return message._replace(payload=payload)


def _known(chance: random.Random) -> Iterator[Hostile]:
    """Yield messages with each of ``TIMES``, ``INJECTIONS`` and three extreme numbers in each field of that type."""
    for name in sorted(TREES):
        fields = [
            ("time", TIME_PLACES[name], [json.dumps(time) for time in TIMES]),
            ("injection", FREE_PLACES[name], [json.dumps(text) for text in INJECTIONS]),
            ("number", NUMBER_PLACES[name], ["1e308", "9007199254740992", "1e-320"]),
        ]
        for sort, places, literals in fields:
            for place, literal in product(places, literals):
                topic, text = with_value(name, place, "\N{SNOWMAN}")
                payload = text.replace('"\N{SNOWMAN}"', literal).encode()
                yield _with_new_ids(Hostile(sort, topic, payload), chance)


def _oversized(chance: random.Random) -> Iterator[Hostile]:
    """Yield an endless series of messages that are too large as sent or after decompression."""
    event, media = topic_of("wildpost", STATION, "event"), topic_of("wildpost", STATION, "media")
    bomb = gzip.compress(bytes(50_000_000), mtime=0)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("event.json", bytes(50_000_000))
    for _ in count_up():
        salt = str(chance.getrandbits(64))
        over = LIMIT_BYTES["media"] + chance.randrange(500_000)
        for payload in (
            b'{"schema":"1.0","later":"' + b"x" * LIMIT_BYTES["event"],
            b"[" * 100_000,
            b'{"schema":' * 20_000,
            b'{"schema":"1.0",' + b'"a":1,' * 30_000 + b'"a":2}',
        ):
            yield Hostile("big", event, payload + salt.encode())
        yield Hostile("packed bomb", event, bomb + salt.encode(), "application/gzip")
        yield Hostile("packed bomb", event, packed.getvalue() + salt.encode(), "application/zip")
        yield Hostile("big", media, salt.encode() + bytes(over))
        yield Hostile("big", media, b"\xdd\xff\xff\xff\xff" + salt.encode())  # header of 2^32 - 1 items
