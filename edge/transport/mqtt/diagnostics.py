"""Tries the line to the broker step by step: reached, trusted, let in, allowed to speak, heard."""

import queue
import socket
import ssl
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from statistics import median
from typing import Any

import paho.mqtt.client as mqtt

from contract import LIMIT_BYTES, topic_of
from contract.mqtt import BrokerOptions, connect_arguments, make_client
from contract.topics import KINDS
from edge.check.finding import Figure, Finding

TIMEOUT_S = 10.0
_SOON_DAYS = 30
_NOBODY_LISTENS = 0x10  # reason code of a PUBACK, MQTT 5, table 2-6
_LOOPBACK = ("127.", "::1", "localhost")


def check(options: BrokerOptions, station: str) -> Iterator[Finding]:
    """Try one step after the other, up to the first that fails.

    What it sends has no content: a server passes over it. It uses a name of its own at the broker, so that a station
    which runs meanwhile is left alone.
    """
    last = None
    for step in (_reached, _encrypted):
        last = step(options)
        yield last
        if last.state == "fails":
            return
    with_broker = _Line(options, station)
    try:
        letting_in = with_broker.connect()
        yield letting_in
        if letting_in.state != "fails":
            yield from _speaks(with_broker, options, station)
    finally:
        with_broker.close()


def _reached(options: BrokerOptions) -> Finding:
    place = f"{options.host}:{options.port}"
    began = time.monotonic()
    try:
        with socket.create_connection((options.host, options.port), TIMEOUT_S):
            pass
    except socket.gaierror as error:
        step = "is there a network (ip route, modem, antenna, SIM), and is 'host' spelt right?"
        return Finding("fails", "broker", f"{place}: the name is not known: {error.strerror}", step)
    except ConnectionRefusedError:
        step = "that machine answers, and nobody listens on the port: start Mosquitto, or mend 'port' (8883 with tls)"
        return Finding("fails", "broker", f"{place} refuses the connection", step)
    except OSError as error:
        step = "is there a network (ip route, modem, antenna, SIM)? Is the port open in the server's firewall?"
        return Finding("fails", "broker", f"{place}: {error.strerror or error}", step)
    took_ms = round(1000 * (time.monotonic() - began), 1)
    return Finding("works", "broker", f"{place} reached in {took_ms:.0f} ms", figures={"connect_ms": took_ms})


def _encrypted(options: BrokerOptions) -> Finding:
    if not options.tls:
        if options.host.startswith(_LOOPBACK):
            return Finding(
                "works", "encryption", "none, and none needed on this machine itself", figures={"tls": False}
            )
        step = "anybody on the way can read and forge: wildpost broker init, then tls = true and ca_file"
        return Finding("doubtful", "encryption", "none", step, {"tls": False})
    try:
        context = ssl.create_default_context(cafile=options.ca_file or None)
    except OSError as error:
        step = "bring ca.crt of the folder that the broker handed over, and name it in 'ca_file'"
        return Finding("fails", "encryption", f"ca_file {options.ca_file}: {error.strerror or error}", step)
    try:
        with (
            socket.create_connection((options.host, options.port), TIMEOUT_S) as plain,
            context.wrap_socket(plain, server_hostname=options.host) as line,
        ):
            certificate, version = line.getpeercert() or {}, line.version()
    except ssl.SSLCertVerificationError as error:
        return Finding("fails", "encryption", f"certificate: {error.verify_message}", _mend_of(error))
    except OSError as error:  # ssl.SSLError among them
        step = f"does port {options.port} speak TLS? Mosquitto's plain port is 1883, its usual one with TLS 8883"
        return Finding("fails", "encryption", f"no TLS: {error.strerror or error}", step)
    until = datetime.fromtimestamp(ssl.cert_time_to_seconds(str(certificate["notAfter"])), UTC)
    days = (until - datetime.now(UTC)).days
    found = f"{version}, certificate good until {until:%Y-%m-%d} ({days} days)"
    figures: dict[str, Figure] = {"tls": True, "version": version, "good_until": until.isoformat(), "days_left": days}
    if days < _SOON_DAYS:
        return Finding("doubtful", "encryption", found, "on the broker: wildpost broker renew", figures)
    return Finding("works", "encryption", found, figures=figures)


def _mend_of(error: ssl.SSLCertVerificationError) -> str:
    """Say what to do, by OpenSSL's codes of X509_verify_cert_error_string(3)."""
    if error.verify_code == 9:
        return "the certificate is not valid yet: this machine's clock is wrong, set it"
    if error.verify_code == 10:
        return "if this machine's clock is right: on the broker, wildpost broker renew"
    if error.verify_code in (62, 64):
        return "'host' must be a name of the certificate: on the broker, wildpost broker renew --host NAME"
    return "ca.crt is of another broker: bring the one that was handed over for this station"


class _Line:
    """A connection to the broker, and what it answered."""

    def __init__(self, options: BrokerOptions, station: str) -> None:
        self._options = options
        self._station = station
        self.answers: queue.SimpleQueue[tuple[str, Any, Any]] = queue.SimpleQueue()  # what, reason, properties
        self._client = self._made()

    def _made(self) -> mqtt.Client:
        client = make_client(
            mqtt.Client, self._options, f"wildpost-{self._station}-check", keep_session=False, reconnect=False
        )
        client.connect_timeout = TIMEOUT_S
        client.on_connect = lambda *told: self.answers.put(("connect", told[3], told[4]))
        client.on_publish = lambda *told: self.answers.put(("publish", told[3], told[4]))
        client.on_disconnect = lambda *told: self.answers.put(("disconnect", told[3], told[4]))
        return client

    def connect(self) -> Finding:
        """Ask to be let in."""
        who = f"user {self._options.username!r}" if self._options.username else "nobody in particular (no username)"
        try:
            what, reason, properties = self.connected()
        except OSError as error:
            return Finding("fails", "credentials", f"{error}", "try again; then look at the broker's log")
        figures: dict[str, Figure] = {"reason": str(reason)}
        if what == "":
            return Finding(
                "fails", "credentials", f"no answer within {TIMEOUT_S:g} s", "look at the broker's log", figures
            )
        if what == "disconnect":
            step = "does this port expect TLS? Then tls = true; else look at the broker's log"
            return Finding("fails", "credentials", f"the broker closed the line: {reason}", step, figures)
        if reason.is_failure:
            step = (
                f"is the password in {self._options.password_variable} the one handed over last? "
                f"On the broker: wildpost broker list; wildpost broker rotate {self._station}"
            )
            return Finding("fails", "credentials", f"{who} is refused: {reason}", step, figures)
        largest = getattr(properties, "MaximumPacketSize", None)
        figures["largest_message_bytes"] = largest
        found = f"let in as {who}"
        if largest is not None and largest < LIMIT_BYTES["event"]:
            step = f"on the broker: max_packet_size of at least {LIMIT_BYTES['event']}, better {LIMIT_BYTES['media']}"
            return Finding("doubtful", "credentials", f"{found}; messages only up to {largest} bytes", step, figures)
        return Finding("works", "credentials", found, figures=figures)

    def connected(self) -> tuple[str, Any, Any]:
        """Connect, and give the broker's answer; the first word is empty where it gave none.

        Raises:
            OSError: it cannot be reached any more.
        """
        self._client.connect(**connect_arguments(self._options, keep_session=False))
        self._client.loop_start()
        return self._answer()

    def publish(self, topic: str) -> tuple[str, Any, float]:
        """Publish nothing on a topic; give what came of it, the reason, and how long the answer took in ms."""
        what, reason, took_ms = self._publish(topic)
        if what == "disconnect":  # Mosquitto may break the line after a refusal: that was the answer before this one
            what, reason, took_ms = self._publish(topic)
        return what, reason, took_ms

    def _publish(self, topic: str) -> tuple[str, Any, float]:
        while not self.answers.empty():
            self.answers.get()
        if not self._client.is_connected():
            self._client.loop_stop()
            self._client = self._made()  # paho's own does not come back without leaving sockets behind
            what, reason, _ = self.connected()
            if what != "connect" or reason.is_failure:
                return what, reason, 0.0
        began = time.monotonic()
        self._client.publish(topic, b"", qos=1)
        what, reason, _ = self._answer()
        return what, reason, 1000 * (time.monotonic() - began)

    def close(self) -> None:
        """Leave."""
        self._client.disconnect()
        self._client.loop_stop()

    def _answer(self) -> tuple[str, Any, Any]:
        try:
            return self.answers.get(timeout=TIMEOUT_S)
        except queue.Empty:
            return "", "no answer", None


def _speaks(line: _Line, options: BrokerOptions, station: str) -> Iterator[Finding]:
    times_ms: list[float] = []
    refused: dict[str, str] = {}
    heard = True
    for kind in KINDS:
        try:
            what, reason, took_ms = line.publish(topic_of(options.prefix, station, kind))
        except OSError as error:
            what, reason = "", error
        if what != "publish" or reason.is_failure:
            refused[kind] = str(reason)
            continue
        times_ms.append(took_ms)
        heard = heard and reason.value != _NOBODY_LISTENS
    yield _rights(options, station, refused)
    if not times_ms:
        return
    took_ms = round(median(times_ms), 1)
    figures: dict[str, Figure] = {
        "round_trip_ms": took_ms,
        "server_listens": heard if options.protocol == "5" else None,
    }
    found = f"test message acknowledged in {took_ms:.0f} ms"
    if not heard:
        step = "start the server (wildpost serve) once: from then on the broker keeps messages for it"
        yield Finding("doubtful", "delivery", f"{found}, and nobody listens: the broker forgets it", step, figures)
    else:
        yield Finding("works", "delivery", found, figures=figures)


def _rights(options: BrokerOptions, station: str, refused: dict[str, str]) -> Finding:
    topics = topic_of(options.prefix, station, "event").removesuffix("event")
    figures: dict[str, Figure] = {kind: refused.get(kind, "allowed") for kind in KINDS}
    if options.protocol != "5" and not refused:
        step = 'MQTT 3.1.1 does not tell whether it is allowed: protocol = "5" does, where the broker speaks it'
        return Finding("doubtful", "rights", f"{topics}: everything is acknowledged", step, dict.fromkeys(KINDS))
    if refused:
        said = ", ".join(f"{kind} ({reason})" for kind, reason in refused.items())
        step = (
            f"is 'prefix' right? On the broker, user {options.username or '(none)'} needs "
            f"`topic write {options.prefix}/+/{station}/+`, as wildpost broker add-station gives it"
        )
        return Finding("fails", "rights", f"may not publish on {topics}: {said}", step, figures)
    return Finding("works", "rights", f"may publish on {topics}: {', '.join(KINDS)}", figures=figures)
