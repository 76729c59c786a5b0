"""A network thread of paho survives an exception in a callback, and what the broker holds arrives after it."""

import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime

import msgspec
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from contract import Event, encode, new_event_id, topic_of
from contract.examples import EVENT
from contract.supervision import Supervisor
from ingest.receive.batch import ReceivedMessage
from ingest.receive.message_buffer import MessageBuffer
from ingest.receive.mqtt.live_subscriber import LiveSubscriber
from ingest.receive.mqtt.options import ReceiverOptions
from ingest.receive.mqtt.receiver import Receiver
from ingest.receive.pipeline import ReceivePipeline
from tests.conftest import Mosquitto
from tests.eventually import eventually
from tests.noting import Noting
from tests.servers.conftest import Publisher
from wildpost.server.web_server import serve_http

TOPIC = topic_of("wildpost", EVENT.station, "event")


def fresh() -> bytes:
    return encode(msgspec.structs.replace(EVENT, event_id=new_event_id(), captured_at=datetime.now(UTC)))


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_an_exception_in_the_receivers_network_thread_loses_no_message(
    mosquitto: Mosquitto, publisher_to: Callable[[int], Publisher], monkeypatch: pytest.MonkeyPatch, protocol: str
) -> None:
    put, failures = MessageBuffer.put, [ValueError("a defect"), MemoryError()]

    def failing(*arguments: object) -> None:
        if failures:
            raise failures.pop()
        put(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(MessageBuffer, "put", failing)
    supervisor, noting = Supervisor(0.05, 0.1), Noting()
    options = ReceiverOptions(port=mosquitto.port, protocol="5" if protocol == "5" else "3.1.1")
    pipeline = ReceivePipeline(options, noting, [Receiver(options, supervisor=supervisor)], supervisor=supervisor)
    pipeline.start()
    sent = [fresh() for _ in range(20)]
    publisher_to(mosquitto.port).publish([(TOPIC, one) for one in sent])
    eventually(lambda: set(sent) <= set(noting.came), "all messages")
    assert supervisor.restarts["broker-connection"] == 2
    assert "broker-connection failed" in supervisor.problem
    eventually(lambda: pipeline.connected, "the connection to be made anew")
    pipeline.stop()


def test_an_exception_at_one_capture_does_not_end_the_live_subscriber(
    mosquitto: Mosquitto, publisher_to: Callable[[int], Publisher]
) -> None:
    supervisor, came = Supervisor(), list[bytes]()

    def urgent(event: Event) -> bool:
        if not came:
            came.append(b"first")
            raise OverflowError("a defect in a rule")
        return True

    def deliver(one: ReceivedMessage) -> bool:
        came.append(one.payload)
        return True

    tap = LiveSubscriber(ReceiverOptions(port=mosquitto.port), "", urgent, deliver, supervisor)
    tap.open()
    publisher = publisher_to(mosquitto.port)

    def arrived() -> bool:
        publisher.publish([(TOPIC, fresh())])
        return len(came) > 2

    eventually(arrived, "captures after the one that failed")
    tap.close()
    assert supervisor.restarts["live-subscriber"] == 1


def test_a_web_server_that_ends_is_started_again_on_its_port(monkeypatch: pytest.MonkeyPatch) -> None:
    main_loop, failures = uvicorn.Server.main_loop, [RuntimeError("a defect"), RuntimeError("another")]

    async def failing(server: uvicorn.Server) -> None:
        if failures:
            raise failures.pop()
        await main_loop(server)

    monkeypatch.setattr(uvicorn.Server, "main_loop", failing)
    app = Starlette(routes=[Route("/", lambda request: Response("here"))])
    supervisor = Supervisor(0.05, 0.1)

    def answers(port: int) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
                return bool(answer.read() == b"here")
        except OSError:
            return False

    with serve_http(app, "127.0.0.1", 0, "pages", supervisor=supervisor) as port:
        eventually(lambda: answers(port), "an answer after two failures")
        assert supervisor.restarts["pages"] == 2
