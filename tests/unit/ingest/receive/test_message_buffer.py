"""Where messages wait: it has room for so many, and for so many bytes."""

import threading
from datetime import UTC, datetime

from ingest.receive.batch import ReceivedMessage
from ingest.receive.message_buffer import BufferedMessage, MessageBuffer
from tests.eventually import eventually


def message(size: int, qos: int = 1) -> BufferedMessage:
    return BufferedMessage(ReceivedMessage("wildpost/v1/lake-07/media", b"x" * size, datetime.now(UTC)), 1, qos, 1)


def bring(room: MessageBuffer, *some: BufferedMessage) -> threading.Thread:
    bringing = threading.Thread(target=room.put, args=(some, threading.Event()))
    bringing.start()
    return bringing


def test_who_brings_more_bytes_than_there_is_room_for_waits_until_some_are_taken() -> None:
    room = MessageBuffer(100, 1000)
    bring(room, message(600), message(600)).join()
    third = bring(room, message(1))
    third.join(0.1)
    assert third.is_alive()
    assert [len(one.message.payload) for one in room.next_batch(1, 10_000, 1)] == [600]
    eventually(lambda: not third.is_alive())
    assert len(room.next_batch(10, 10_000, 1)) == 2


def test_one_message_larger_than_the_room_finds_room_in_an_empty_one() -> None:
    room = MessageBuffer(100, 1000)
    bring(room, message(5000)).join()
    assert len(room.next_batch(10, 100, 1)) == 1


def test_what_comes_again_leaves_its_room_to_others() -> None:
    room = MessageBuffer(100, 1000)
    bring(room, message(900), message(300), message(200, qos=0)).join()
    room.drop_redelivered()
    bring(room, message(799)).join()
    waits = bring(room, message(300))
    eventually(lambda: not waits.is_alive())
    last = bring(room, message(1))
    last.join(0.1)
    assert last.is_alive()
    assert [len(one.message.payload) for one in room.next_batch(10, 10_000, 1)][:3] == [200, 799, 300]
    last.join()


def test_who_waits_for_room_stops_waiting_with_the_server() -> None:
    room, stopping = MessageBuffer(100, 10), threading.Event()
    room.put([message(20)], stopping)
    stopping.set()
    room.put([message(20)], stopping)
    assert len(room.next_batch(10, 10_000, 1)) == 2
