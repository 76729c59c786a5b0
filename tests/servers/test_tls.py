"""Station and server speak with a broker over TLS, and with no other than the one they trust."""

import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from contract import encode, topic_of
from contract.examples import EVENT
from edge.outbox.outbox import Outbox, OutboxMessage
from edge.transport.mqtt.publisher import Publisher, StationBrokerOptions
from ingest.receive.mqtt.options import ReceiverOptions
from ingest.receive.mqtt.receiver import Receiver
from tests.conftest import Mosquitto, free_port
from tests.noting import Noting
from wildpost.broker.certificates import make_authority, make_broker_certificate

Started = Callable[[str], Mosquitto]


@pytest.fixture
def secured(mosquitto_with: Started, tmp_path: Path) -> tuple[int, Path]:
    """A broker that also listens with TLS, as 127.0.0.1; its port and its authority's file."""
    return _listening(mosquitto_with, tmp_path, "127.0.0.1")


def _listening(mosquitto_with: Started, folder: Path, host: str) -> tuple[int, Path]:
    authority = make_authority("reserve")
    pair = make_broker_certificate(authority, [host])
    for name, content in (("ca.crt", authority.certificate), ("b.crt", pair.certificate), ("b.key", pair.key)):
        (folder / name).write_bytes(content)
    port = free_port()
    mosquitto_with(
        f"allow_anonymous true\nlistener {port} 127.0.0.1\ncertfile {folder}/b.crt\nkeyfile {folder}/b.key\n"
    )
    return port, folder / "ca.crt"


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it did not come about within 20 s"
        time.sleep(0.01)


def test_an_event_travels_encrypted_from_the_outbox_to_the_intake(secured: tuple[int, Path], tmp_path: Path) -> None:
    port, authority = secured
    intake = Noting()
    receiver = Receiver(ReceiverOptions(port=port, tls=True, ca_file=str(authority)), intake)
    receiver.start()
    with closing(Outbox(tmp_path / "outbox.sqlite")) as outbox:
        outbox.commit([OutboxMessage(topic_of("wildpost", EVENT.station, "event"), encode(EVENT))])
        publisher = Publisher(StationBrokerOptions(port=port, tls=True, ca_file=str(authority)), EVENT.station, outbox)
        publisher.start()
        assert publisher.drain(20)
        publisher.stop()
    until(lambda: encode(EVENT) in intake.came)
    receiver.stop()


# paho lets go of a socket whose handshake failed without closing it; Python closes it, and says so.
@pytest.mark.filterwarnings("ignore:Exception ignored in. <ssl.SSLSocket:pytest.PytestUnraisableExceptionWarning")
def test_a_broker_of_another_authority_is_told_nothing_and_named_by_both(
    secured: tuple[int, Path], tmp_path: Path
) -> None:
    port, _ = secured
    other = tmp_path / "other.crt"
    other.write_bytes(make_authority("somebody").certificate)

    _refused(port, other, tmp_path, "certificate verify failed")


@pytest.mark.filterwarnings("ignore:Exception ignored in. <ssl.SSLSocket:pytest.PytestUnraisableExceptionWarning")
def test_a_broker_of_another_name_is_told_nothing(mosquitto_with: Started, tmp_path: Path) -> None:
    port, authority = _listening(mosquitto_with, tmp_path, "another.reserve.example")

    _refused(port, authority, tmp_path, "127.0.0.1")


def _refused(port: int, authority: Path, folder: Path, said: str) -> None:
    receiver = Receiver(ReceiverOptions(port=port, tls=True, ca_file=str(authority)), Noting())
    receiver.start(answer_s=0.1)
    until(lambda: said in receiver.problem)
    receiver.stop()
    with closing(Outbox(folder / "outbox.sqlite")) as outbox:
        outbox.commit([OutboxMessage(topic_of("wildpost", EVENT.station, "event"), encode(EVENT))])
        publisher = Publisher(StationBrokerOptions(port=port, tls=True, ca_file=str(authority)), EVENT.station, outbox)
        publisher.start()
        until(lambda: said in publisher.problem)
        publisher.stop()
        assert len(outbox) == 1


def test_a_missing_authority_is_named(tmp_path: Path) -> None:
    options = ReceiverOptions(tls=True, ca_file=str(tmp_path / "gone.crt"))

    with pytest.raises(OSError, match=r"ca_file .*gone\.crt"):
        Receiver(options, Noting())
