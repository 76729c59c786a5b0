"""Each reason for which no connection to the broker comes about is named by check and log, with what to do."""

import logging
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from contract.mqtt.endpoint_probe import probe
from edge.check import Finding
from edge.outbox.outbox import Outbox
from edge.transport.mqtt import diagnostics
from edge.transport.mqtt.publisher import Publisher, StationBrokerOptions
from tests.conftest import Mosquitto, free_port
from tests.eventually import eventually
from wildpost.broker.certificates import make_authority, make_broker_certificate

Answering = Callable[[bytes], bytes]


class Server:
    """Answers the first packet of each connection with bytes of the test's, and hangs up."""

    def __init__(self, answer: Answering) -> None:
        self._answer = answer
        self.connections = 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            with connection:
                connection.settimeout(5)
                try:
                    if answer := self._answer(connection.recv(4096)):
                        connection.sendall(answer)
                except OSError:
                    continue

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()


@pytest.fixture
def answering() -> Iterator[Callable[[Answering | bytes], Server]]:
    started: list[Server] = []

    def start(answer: Answering | bytes) -> Server:
        started.append(Server(answer if callable(answer) else lambda _: answer))
        return started[-1]

    yield start
    for server in started:
        server.close()


def check(port: int, **options: Any) -> Finding:
    return list(diagnostics.check(StationBrokerOptions(port=port, **options), "lake-07"))[-1]


def logged(port: int, folder: Path, caplog: pytest.LogCaptureFixture, **options: Any) -> str:
    """Run a publisher until it has logged its problem, and return that problem; it is logged once."""
    caplog.clear()
    with closing(Outbox(folder / "outbox.sqlite")) as outbox, caplog.at_level(logging.INFO, "wildpost.publisher"):
        publisher = Publisher(StationBrokerOptions(port=port, reconnect_max_s=1, **options), "lake-07", outbox)
        publisher.start()
        try:
            eventually(lambda: publisher.problem, "the problem")
            problem = publisher.problem
        finally:
            publisher.stop()
    assert len([one for one in caplog.records if one.getMessage().startswith(problem)]) == 1
    return problem


def connack(code: int, protocol: str) -> bytes:
    return b"\x20\x03\x00" + bytes([code, 0]) if protocol == "5" else b"\x20\x02\x00" + bytes([code])


@pytest.mark.parametrize(
    ("protocol", "code", "step"),
    [
        ("5", 0x81, 'protocol = "3.1.1"'),
        ("5", 0x84, 'set protocol = "3.1.1"'),
        ("5", 0x85, "client id"),
        ("5", 0x86, "password"),
        ("5", 0x87, "password"),
        ("5", 0x88, "wait"),
        ("5", 0x89, "too much to do"),
        ("5", 0x8A, "banned"),
        ("5", 0x8C, "method of authentication"),
        ("5", 0x97, "limit"),
        ("5", 0x9A, "retained"),
        ("5", 0x9B, "QoS 1"),
        ("5", 0x9D, "host"),
        ("5", 0x9F, "too many connections"),
        ("5", 0x80, "broker's log"),
        ("3.1.1", 1, 'set protocol = "5"'),
        ("3.1.1", 2, "client id"),
        ("3.1.1", 3, "wait"),
        ("3.1.1", 4, "password"),
        ("3.1.1", 5, "password"),
    ],
)
def test_a_refusal_is_explained_by_its_own_reason(
    protocol: str,
    code: int,
    step: str,
    answering: Callable[[Answering | bytes], Server],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    server = answering(connack(code, protocol))
    options: dict[str, Any] = {"protocol": protocol, "username": "lake-07", "password_variable": "UNSET_IN_TESTS"}
    found = check(server.port, **options)
    assert (found.state, found.what) == ("fails", "credentials")
    problem = logged(server.port, tmp_path, caplog, **options)
    if step == "password":
        assert "UNSET_IN_TESTS" in found.next_step
        assert "'lake-07'" in problem and "UNSET_IN_TESTS is set" in problem
    else:
        assert step in found.next_step
        assert step in problem
        assert "holds the password" not in found.next_step, "which was not refused"


def of_3_1_1_only(answer: bytes) -> Answering:
    """A broker that knows MQTT 3.1.1 only: it answers another version so, and accepts its own."""
    return lambda packet: b"\x20\x02\x00\x00" if packet[8:9] == b"\x04" else answer


@pytest.mark.parametrize("answer", [b"\x20\x02\x00\x01", b"", b"\x20\x02\x00\x05"])
def test_a_broker_of_mqtt_3_1_1_is_known_by_what_it_answers_to_mqtt_5(
    answer: bytes,
    answering: Callable[[Answering | bytes], Server],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    server = answering(of_3_1_1_only(answer))
    found = check(server.port)
    assert "Unsupported protocol version" in found.found
    assert found.next_step.startswith('set protocol = "3.1.1"')
    assert 'set protocol = "3.1.1"' in logged(server.port, tmp_path, caplog)


@pytest.mark.parametrize(
    ("answer", "said", "step"),
    [
        (b"HTTP/1.1 302 Found\r\nLocation: http://login.portal/\r\n\r\n", "http://login.portal/", "login page"),
        (b"<html><title>400 Bad Request</title>", "web server", "port"),
        (b"SSH-2.0-OpenSSH_9.2p1\r\n", "SSH-2.0-OpenSSH_9.2p1", "port"),
        (b"220 mail.reserve.example ESMTP\r\n", "ESMTP", "port"),
        (b"\x15\x03\x03\x00\x02\x02\x0a", "TLS", "tls = true"),
        (b"\x00" * 40, "another program", "port"),
        (b"", "closed without an answer", "firewall"),
    ],
)
def test_what_is_no_broker_is_named(
    answer: bytes,
    said: str,
    step: str,
    answering: Callable[[Answering | bytes], Server],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    server = answering(answer)
    for protocol in ("5", "3.1.1"):
        found = check(server.port, protocol=protocol)
        assert found.state == "fails"
        assert said in found.found
        assert step in found.next_step
        problem = logged(server.port, tmp_path, caplog, protocol=protocol)
        assert said in problem
        assert step in problem


@pytest.mark.filterwarnings("ignore:Exception ignored in. <ssl.SSLSocket:pytest.PytestUnraisableExceptionWarning")
def test_encryption_on_one_side_alone_is_named_in_the_log_too(
    mosquitto_with: Callable[[str], Mosquitto], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    authority = make_authority("reserve")
    pair = make_broker_certificate(authority, ["127.0.0.1"])
    for name, content in (("ca.crt", authority.certificate), ("b.crt", pair.certificate), ("b.key", pair.key)):
        (tmp_path / name).write_bytes(content)
    port = free_port()
    plain = mosquitto_with(
        f"allow_anonymous true\nlistener {port} 127.0.0.1\ncertfile {tmp_path}/b.crt\nkeyfile {tmp_path}/b.key\n"
    )
    assert "set tls = true" in check(port).next_step
    assert "set tls = true" in logged(port, tmp_path, caplog)
    ca_file = str(tmp_path / "ca.crt")
    found = check(plain.port, tls=True, ca_file=ca_file)
    assert "does not use TLS" in found.found
    assert "8883" in found.next_step
    assert "does not use TLS" in logged(plain.port, tmp_path, caplog, tls=True, ca_file=ca_file)


def test_a_broker_that_only_speaks_mqtt_5_is_known(
    mosquitto_with: Callable[[str], Mosquitto], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    answer = probe(StationBrokerOptions(port=mosquitto_with("allow_anonymous true\n").port))
    assert (answer.kind, answer.code, answer.old) == ("mqtt", 0, False)
    secret = mosquitto_with("allow_anonymous false\n")
    assert probe(StationBrokerOptions(port=secret.port)).code == 0x87
    assert probe(StationBrokerOptions(port=secret.port, protocol="3.1.1")).code == 0x87


def test_a_broker_that_answers_with_damaged_packets_stops_nothing(
    answering: Callable[[Answering | bytes], Server], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for answer in (b"\x20", b"\x20\xff\xff\xff\xff", b"\xe0\x00", struct.pack("<Q", 7), b"\x20\x03\x00\x55\x00"):
        server = answering(answer)
        assert check(server.port).state == "fails"
        assert logged(server.port, tmp_path, caplog)
