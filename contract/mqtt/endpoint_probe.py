"""Identifies the server at the broker's address when a connection ends before the broker has accepted it."""

import os
import re
import socket
import ssl
from dataclasses import dataclass
from typing import Literal

from contract.mqtt.connection import BrokerOptions
from contract.mqtt.refusal import BAD_CREDENTIALS, CLIENT_ID, NOT_AUTHORISED, UNSUPPORTED_PROTOCOL, refusal_step

_TIMEOUT_S = 5.0
_ANSWER_BYTES = 512
_SHOWN_CHARACTERS = 60
_CONNACK, _DISCONNECT, _TLS_ALERT, _TLS_HANDSHAKE = 0x20, 0xE0, 0x15, 0x16
# Reason codes of MQTT 5, by return code of MQTT 3.1.1; 0x88: server unavailable.
_OF_3_1_1 = {1: UNSUPPORTED_PROTOCOL, 2: CLIENT_ID, 3: 0x88, 4: BAD_CREDENTIALS, 5: NOT_AUTHORISED}

Kind = Literal["mqtt", "web", "tls", "other", "closed", "silent", "unreachable"]


@dataclass(frozen=True, slots=True)
class Answer:
    """First bytes that a server sent in reply to a connection request of MQTT.

    Attributes:
        kind: What kind of server it is; "closed" and "silent": it sent nothing.
        text: The beginning of the answer in words, or the error.
        code: Reason code of MQTT 5, if it is an answer of MQTT; 0: accepted.
        old: Whether the answer has the form of MQTT 3.1.1.
    """

    kind: Kind
    text: str = ""
    code: int | None = None
    old: bool = False


@dataclass(frozen=True, slots=True)
class Explanation:
    """What was found at the address of the broker, and what to do."""

    found: str
    next_step: str


_USES_TLS = Explanation("this port uses TLS", "set tls = true, and ca_file if the broker has its own authority")


def explain_endpoint(options: BrokerOptions) -> Explanation | None:
    """Return why no connection of MQTT comes about at the broker's address; None if nothing explains it.

    The connection requests have no user name, so that no client loses its connection, and end at the first answer.
    """
    answer = probe(options)
    if answer.kind == "web":
        return Explanation(
            f"a web server answers instead of a broker: {answer.text}",
            f"check 'host' and 'port' {options.port}; if this is the login page of the network, the network lets "
            "nothing through until somebody has logged in there",
        )
    if answer.kind == "tls":
        return _USES_TLS
    if answer.kind == "other":
        return Explanation(
            f"another program answers instead of a broker: {answer.text}", f"correct 'host' or 'port' {options.port}"
        )
    if answer.kind == "mqtt" and (answer.code == UNSUPPORTED_PROTOCOL or (answer.old and options.protocol == "5")):
        return _unsupported_protocol(options)
    if answer.kind == "closed":
        return _explain_silence(options)
    return None


def _explain_silence(options: BrokerOptions) -> Explanation | None:
    """Try the other settings, where a server closed the connection without a word."""
    if not options.tls and _speaks_tls(options):
        return _USES_TLS
    other = probe(options, "3.1.1" if options.protocol == "5" else "5")
    if other.kind == "mqtt" and other.code != UNSUPPORTED_PROTOCOL:
        return _unsupported_protocol(options)
    return Explanation(
        "the connection is closed without an answer",
        f"check that a broker listens on port {options.port}, and read its log: it may refuse this address, or a "
        "firewall or proxy between ends the connection",
    )


def _unsupported_protocol(options: BrokerOptions) -> Explanation:
    return Explanation(
        f"Unsupported protocol version: MQTT {options.protocol}", refusal_step(options, UNSUPPORTED_PROTOCOL)
    )


def explain_no_tls(options: BrokerOptions) -> Explanation | None:
    """Return what answers without TLS at a port where encryption failed; None if nothing does."""
    answer = probe(options, tls=False)
    if answer.kind == "mqtt":
        return Explanation(
            "the broker does not use TLS on this port",
            "set port to that with TLS, usually 8883 (1883 is without); else tls = false",
        )
    if answer.kind in ("web", "other"):
        return Explanation(
            f"no broker answers there: {answer.text}",
            f"correct 'host' or 'port' {options.port}, or log in to the network",
        )
    return None


def probe(options: BrokerOptions, protocol: str = "", tls: bool | None = None) -> Answer:
    """Send a connection request of MQTT without credentials, and return what answers.

    Args:
        options: Options of the connection.
        protocol: MQTT version; "": that of the options.
        tls: Whether to encrypt; None: as in the options. The certificate is not verified: nothing secret is sent.
    """
    try:
        with socket.create_connection((options.host, options.port), _TIMEOUT_S) as plain:
            if options.tls if tls is None else tls:
                with _unverified().wrap_socket(plain, server_hostname=options.host) as encrypted:
                    return _ask(encrypted, protocol or options.protocol)
            return _ask(plain, protocol or options.protocol)
    except OSError as error:  # includes ssl.SSLError
        return Answer("unreachable", str(error))


def _ask(connection: socket.socket, protocol: str) -> Answer:
    connection.sendall(_connect_packet(protocol))
    try:
        data = connection.recv(_ANSWER_BYTES)
    except TimeoutError:
        return Answer("silent")
    except ConnectionResetError:
        return Answer("closed")
    return _classify(data)


def _classify(data: bytes) -> Answer:
    if not data:
        return Answer("closed")
    if data[0] == _CONNACK and len(data) >= 4:
        old = data[1] == 2  # without properties
        code = _OF_3_1_1.get(data[3], data[3]) if old else data[3]
        return Answer("mqtt", code=code, old=old)
    if data[0] == _DISCONNECT and len(data) >= 3:
        return Answer("mqtt", code=data[2])
    if data[0] in (_TLS_ALERT, _TLS_HANDSHAKE) and data[1:2] == b"\x03":
        return Answer("tls")
    if data.startswith(b"HTTP/") or data.lstrip()[:1] == b"<":
        where = re.search(rb"(?i)\r\nlocation: *([^\r\n]+)", data)
        first = _printable(data.split(b"\r\n")[0])
        return Answer("web", f"{first}, {_printable(where[1])}" if where else first)
    return Answer("other", _printable(data))


def _speaks_tls(options: BrokerOptions) -> bool:
    try:
        with (
            socket.create_connection((options.host, options.port), _TIMEOUT_S) as plain,
            _unverified().wrap_socket(plain, server_hostname=options.host),
        ):
            return True
    except ssl.SSLError as error:
        # A listener that demands a certificate of the client speaks TLS too.
        return "alert" in str(error).lower()
    except OSError:
        return False


def _unverified() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _connect_packet(protocol: str) -> bytes:
    """Return a CONNECT packet (MQTT 5, section 3.1): a new session, no user name, and a random client id."""
    version_5 = protocol == "5"
    client_id = f"probe-{os.urandom(6).hex()}".encode()
    header = b"\x00\x04MQTT" + bytes([5 if version_5 else 4, 0x02]) + (10).to_bytes(2, "big")
    body = header + (b"\x00" if version_5 else b"") + len(client_id).to_bytes(2, "big") + client_id
    return bytes([0x10, len(body)]) + body


def _printable(data: bytes) -> str:
    text = "".join(char if char.isprintable() else " " for char in data.decode("utf-8", "replace"))
    return " ".join(text.split())[:_SHOWN_CHARACTERS]
