"""A station that publishes without pause, as a thief with its password would; used by benchmarks and tests."""

import argparse
import hashlib
import os
import random
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import msgspec

from contract import Event, MediaContent, encode, new_event_id, topic_of
from contract.examples import EVENT, SOUND_EVENT

WINDOW = 500  # unacknowledged messages
LARGE_DETECTIONS = 1_000
Message = tuple[str, bytes]


def garbage(station: str) -> Message:
    """Return 16 kB that no server can decode."""
    return topic_of("wildpost", station, "event"), os.urandom(16_000)


def small_event(station: str) -> Message:
    """Return a valid capture without detections."""
    return _event(station, EVENT, detections=(), media=())


def flagged_event(station: str) -> Message:
    """Return a valid capture of a person, which rules flag."""
    seen = next(one for one in EVENT.detections if one.observation_type == "human")
    return _event(station, EVENT, detections=(seen,), media=())


def new_sound(station: str) -> Message:
    """Return a valid sound with a label that nobody has used before."""
    seen = msgspec.structs.replace(
        SOUND_EVENT.detections[0],
        label=f"http://example.org/{random.random()}",
        observation_type="human",
        confidence=0.95,
    )
    return _event(station, SOUND_EVENT, detections=(seen,), media=())


def large_event(station: str) -> Message:
    """Return a valid capture near the limit of the size of an event."""
    seen = EVENT.detections[0]
    many = tuple(msgspec.structs.replace(seen, ordinal=number) for number in range(LARGE_DETECTIONS))
    return _event(station, EVENT, detections=many, media=())


def thumbnail(station: str) -> Message:
    """Return 20 kB of media of a capture that does not exist."""
    return _media(station, 20_000)


def clip(station: str) -> Message:
    """Return 7.9 MB of media of a capture that does not exist."""
    return _media(station, 7_900_000)


FLOODS: dict[str, Callable[[str], Message]] = {
    "garbage": garbage,
    "events": small_event,
    "flagged": flagged_event,
    "sounds": new_sound,
    "large": large_event,
    "thumbnails": thumbnail,
    "clips": clip,
}


def publish_without_pause(port: int, messages: Iterator[Message], until: float) -> int:
    """Publish messages at QoS 1 as fast as the broker acknowledges them; return their number.

    A socket and a few bytes instead of a client library: the sender must not be what is slow.

    Args:
        port: Port of a broker on this machine that lets anyone in.
        messages: The messages.
        until: Time of ``time.monotonic`` at which to stop.
    """
    with socket.create_connection(("127.0.0.1", port)) as link:
        name = f"flood-{random.randrange(10**9)}".encode()
        connect = b"\x00\x04MQTT\x04\x02\x00\x3c" + struct.pack("!H", len(name)) + name
        link.sendall(bytes([0x10, len(connect)]) + connect)
        link.recv(4)
        acknowledged = [0]
        changed = threading.Condition()

        def count_acknowledgements() -> None:
            rest = 0
            while data := link.recv(65_536):
                with changed:
                    acknowledged[0] += (rest + len(data)) // 4  # a PUBACK has four bytes
                    rest = (rest + len(data)) % 4
                    changed.notify()

        reader = threading.Thread(target=count_acknowledgements, daemon=True)
        reader.start()
        sent = 0
        for topic, payload in messages:
            if time.monotonic() >= until:
                break
            with changed:
                while sent - acknowledged[0] >= WINDOW and changed.wait(10):
                    pass
            link.sendall(_packet(topic.encode(), payload, sent % 65_000 + 1))
            sent += 1
        with changed:
            changed.wait_for(lambda: acknowledged[0] >= sent, 30)
        link.shutdown(socket.SHUT_RDWR)
        reader.join()
        return acknowledged[0]


def _packet(topic: bytes, payload: bytes, mid: int) -> bytes:
    left = 4 + len(topic) + len(payload)
    length = bytearray()
    while True:
        left, digit = divmod(left, 128)
        length.append(digit | (128 if left else 0))
        if not left:
            break
    return b"\x32" + bytes(length) + struct.pack("!H", len(topic)) + topic + struct.pack("!H", mid) + payload


def _event(station: str, example: Event, **changes: object) -> Message:
    event = msgspec.structs.replace(
        example, event_id=new_event_id(), station=station, captured_at=datetime.now(UTC), **changes
    )
    return topic_of("wildpost", station, "event"), encode(event)


def _media(station: str, size: int) -> Message:
    data = b"\xff\xd8\xff" + os.urandom(size)  # begins as a JPEG; anything else is not taken for a picture
    content = MediaContent(
        event_id=new_event_id(),
        station=station,
        sha256=hashlib.sha256(data).hexdigest(),
        type="image/jpeg",
        role="thumbnail",
        data=data,
    )
    return topic_of("wildpost", station, "media"), encode(content)


def main() -> None:
    """Publish one kind of message for some seconds, and print the number of messages."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("port", type=int)
    parser.add_argument("kind", choices=list(FLOODS))
    parser.add_argument("seconds", type=float)
    parser.add_argument("--station", default="stolen")
    chosen = parser.parse_args()
    os.nice(19)  # a thief's machine does not share the processors of the server
    make = FLOODS[chosen.kind]
    until = time.monotonic() + chosen.seconds
    print(publish_without_pause(chosen.port, iter(lambda: make(chosen.station), None), until))


if __name__ == "__main__":
    main()
