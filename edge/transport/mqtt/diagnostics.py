"""Diagnostics of the connection to the MQTT broker: reachability, TLS, credentials, permissions and delivery."""

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
from contract.mqtt import BrokerOptions, connect_arguments, make_client, stop_network_thread
from contract.mqtt.endpoint_probe import explain_endpoint, explain_no_tls
from contract.mqtt.refusal import BAD_CREDENTIALS, NOT_AUTHORISED, reason_code, refusal_step
from contract.topics import KINDS
from edge.check.finding import Figure, Finding

TIMEOUT_S = 10.0
_SOON_DAYS = 30
_NO_SUBSCRIBERS = 0x10  # reason code of a PUBACK, MQTT 5, table 2-6
_ATTEMPTS = 5  # a running station waits longer each time that it loses its connection to the check
_LOOPBACK = ("127.", "::1", "localhost")


def check(options: BrokerOptions, station: str) -> Iterator[Finding]:
    """Run the connection checks in order and yield their findings; stop at the first failure.

    The test messages are empty; a server ignores them. The client id differs from the station's, so that a running
    station keeps its connection, except at a broker that uses the user name as the client id: there the running station
    and the check take over the connection from each other, until the check is done.
    """
    for step in (_check_reachable, _check_encryption):
        finding = step(options)
        yield finding
        if finding.state == "fails":
            return
    connection = _Connection(options, station)
    try:
        credentials = connection.check_credentials()
        yield credentials
        if credentials.state != "fails":
            yield from _check_publishing(connection, options, station)
    finally:
        connection.close()


def _check_reachable(options: BrokerOptions) -> Finding:
    address = f"{options.host}:{options.port}"
    began = time.monotonic()
    try:
        with socket.create_connection((options.host, options.port), TIMEOUT_S):
            pass
    except socket.gaierror as error:
        step = "check the network (ip route, modem, antenna, SIM) and the spelling of 'host'"
        return Finding("fails", "broker", f"{address}: unknown host name: {error.strerror}", step)
    except ConnectionRefusedError:
        step = "no program listens on the port of that machine: start Mosquitto, or correct 'port' (8883 with tls)"
        return Finding("fails", "broker", f"{address} refuses the connection", step)
    except OSError as error:
        step = "check the network (ip route, modem, antenna, SIM), and whether the server's firewall opens the port"
        return Finding("fails", "broker", f"{address}: {error.strerror or error}", step)
    took_ms = round(1000 * (time.monotonic() - began), 1)
    return Finding("works", "broker", f"{address} reached in {took_ms:.0f} ms", figures={"connect_ms": took_ms})


def _check_encryption(options: BrokerOptions) -> Finding:
    if not options.tls:
        if options.host.startswith(_LOOPBACK):
            return Finding("works", "encryption", "none; not needed on the same machine", figures={"tls": False})
        step = "others on the network can read and forge messages: wildpost broker init, then tls = true and ca_file"
        return Finding("doubtful", "encryption", "none", step, {"tls": False})
    try:
        context = ssl.create_default_context(cafile=options.ca_file or None)
    except OSError as error:
        step = "copy ca.crt from the folder that the broker's operator handed over, and set 'ca_file' to its path"
        return Finding("fails", "encryption", f"ca_file {options.ca_file}: {error.strerror or error}", step)
    try:
        with (
            socket.create_connection((options.host, options.port), TIMEOUT_S) as plain,
            context.wrap_socket(plain, server_hostname=options.host) as encrypted,
        ):
            certificate, version = encrypted.getpeercert() or {}, encrypted.version()
    except ssl.SSLCertVerificationError as error:
        return Finding("fails", "encryption", f"certificate: {error.verify_message}", _certificate_remedy(error))
    except OSError as error:  # includes ssl.SSLError
        if explanation := explain_no_tls(options):
            return Finding("fails", "encryption", f"no TLS: {explanation.found}", explanation.next_step)
        step = f"check that port {options.port} uses TLS: Mosquitto's port is 1883 without TLS, usually 8883 with TLS"
        return Finding("fails", "encryption", f"no TLS: {error.strerror or error}", step)
    until = datetime.fromtimestamp(ssl.cert_time_to_seconds(str(certificate["notAfter"])), UTC)
    days = (until - datetime.now(UTC)).days
    found = f"{version}, certificate valid until {until:%Y-%m-%d} ({days} days)"
    figures: dict[str, Figure] = {"tls": True, "version": version, "good_until": until.isoformat(), "days_left": days}
    if days < _SOON_DAYS:
        return Finding("doubtful", "encryption", found, "on the broker: wildpost broker renew", figures)
    return Finding("works", "encryption", found, figures=figures)


def _certificate_remedy(error: ssl.SSLCertVerificationError) -> str:
    """Return the next step for a certificate error; X509_verify_cert_error_string(3) lists OpenSSL's error codes."""
    if error.verify_code == 9:
        return "the certificate is not valid yet: set this machine's clock, which is wrong"
    if error.verify_code == 10:
        return "if this machine's clock is right: on the broker, wildpost broker renew"
    if error.verify_code in (62, 64):
        return "'host' must be a name in the certificate: on the broker, wildpost broker renew --host NAME"
    return "ca.crt belongs to another broker: copy the one that was handed over for this station"


class _Connection:
    """A test connection to the broker, with a queue of the broker's answers."""

    def __init__(self, options: BrokerOptions, station: str) -> None:
        self._options = options
        self._station = station
        # At a broker that uses the user name as the client id, a clean session would publish a running station's last
        # will. With MQTT 5 the session ends with the connection.
        self._continues_session = options.protocol == "5"
        self.answers: queue.SimpleQueue[tuple[str, Any, Any]] = queue.SimpleQueue()  # callback, reason, properties
        self._client = self._make_client()

    def _make_client(self) -> mqtt.Client:
        client = make_client(
            mqtt.Client,
            self._options,
            f"wildpost-{self._station}-check",
            keep_session=self._continues_session,
            reconnect=False,
        )
        client.connect_timeout = TIMEOUT_S
        client.on_connect = lambda *args: self.answers.put(("connect", args[3], args[4]))
        client.on_publish = lambda *args: self.answers.put(("publish", args[3], args[4]))
        client.on_disconnect = lambda *args: self.answers.put(("disconnect", args[3], args[4]))
        return client

    def check_credentials(self) -> Finding:
        """Connect to the broker and check whether it accepts the station's credentials."""
        user = f"user {self._options.username!r}" if self._options.username else "a client without username"
        try:
            answer, reason, properties = self.connect()
        except OSError as error:
            return Finding("fails", "credentials", f"{error}", "retry; if it fails again, read the broker's log")
        figures: dict[str, Figure] = {"reason": str(reason)}
        if answer != "connect" and (explanation := explain_endpoint(self._options)):
            return Finding("fails", "credentials", explanation.found, explanation.next_step, figures)
        if answer == "":
            return Finding(
                "fails", "credentials", f"no answer within {TIMEOUT_S:g} s", "read the broker's log", figures
            )
        if answer == "disconnect":
            step = "if this port expects TLS, set tls = true; else read the broker's log"
            return Finding("fails", "credentials", f"the broker closed the connection: {reason}", step, figures)
        if reason.is_failure:
            code = reason_code(reason)
            step = refusal_step(self._options, code)
            if code in (BAD_CREDENTIALS, NOT_AUTHORISED):
                step = (
                    f"check that {self._options.password_variable} holds the password that was handed over last; "
                    f"on the broker: wildpost broker list; wildpost broker rotate FOLDER {self._station}"
                )
            return Finding("fails", "credentials", f"the broker refuses {user}: {reason}", step, figures)
        largest = getattr(properties, "MaximumPacketSize", None)
        figures["largest_message_bytes"] = largest
        found = f"accepted as {user}"
        if largest is not None and largest < LIMIT_BYTES["event"]:
            step = f"on the broker: max_packet_size of at least {LIMIT_BYTES['event']}, better {LIMIT_BYTES['media']}"
            return Finding("doubtful", "credentials", f"{found}; messages up to {largest} bytes only", step, figures)
        return Finding("works", "credentials", found, figures=figures)

    def connect(self) -> tuple[str, Any, Any]:
        """Connect to the broker and return what it answered: the kind of packet, the reason code and the properties.

        The kind is "connect", "disconnect" or "publish"; "" after a timeout.

        Raises:
            OSError: the broker cannot be reached.
        """
        self._client.connect(**connect_arguments(self._options, keep_session=self._continues_session))
        self._client.loop_start()
        return self._answer()

    def publish(self, topic: str) -> tuple[str, Any, float]:
        """Publish an empty message; return the kind of the answer, its reason code and the round-trip time in ms."""
        for _ in range(_ATTEMPTS):
            answer, reason, took_ms = self._publish(topic)
            # Mosquitto may disconnect after it refused the previous topic, or for another client of the same name.
            if answer != "disconnect":
                break
        return answer, reason, took_ms

    def _publish(self, topic: str) -> tuple[str, Any, float]:
        while not self.answers.empty():
            self.answers.get()
        if not self._client.is_connected():
            stop_network_thread(self._client)
            self._client = self._make_client()  # paho leaks sockets when the same client connects again
            answer, reason, _ = self.connect()
            if answer != "connect" or reason.is_failure:
                return answer, reason, 0.0
        began = time.monotonic()
        self._client.publish(topic, b"", qos=1)
        answer, reason, _ = self._answer()
        return answer, reason, 1000 * (time.monotonic() - began)

    def close(self) -> None:
        """Disconnect from the broker."""
        self._client.disconnect()
        stop_network_thread(self._client)

    def _answer(self) -> tuple[str, Any, Any]:
        try:
            return self.answers.get(timeout=TIMEOUT_S)
        except queue.Empty:
            return "", "no answer", None


def _check_publishing(connection: _Connection, options: BrokerOptions, station: str) -> Iterator[Finding]:
    times_ms: list[float] = []
    refused: dict[str, str] = {}
    subscribed = True
    for kind in KINDS:
        try:
            answer, reason, took_ms = connection.publish(topic_of(options.prefix, station, kind))
        except OSError as error:
            answer, reason = "", error
        if answer != "publish" or reason.is_failure:
            refused[kind] = str(reason)
            continue
        times_ms.append(took_ms)
        subscribed = subscribed and reason.value != _NO_SUBSCRIBERS
    yield _permissions(options, station, refused)
    if not times_ms:
        return
    took_ms = round(median(times_ms), 1)
    figures: dict[str, Figure] = {
        "round_trip_ms": took_ms,
        "server_listens": subscribed if options.protocol == "5" else None,
    }
    found = f"test message acknowledged in {took_ms:.0f} ms"
    if not subscribed:
        step = "start the server (wildpost serve) once: from then on the broker stores messages for it"
        yield Finding("doubtful", "delivery", f"{found}, but no server subscribes: it is discarded", step, figures)
    else:
        yield Finding("works", "delivery", found, figures=figures)


def _permissions(options: BrokerOptions, station: str, refused: dict[str, str]) -> Finding:
    topics = topic_of(options.prefix, station, "event").removesuffix("event")
    figures: dict[str, Figure] = {kind: refused.get(kind, "allowed") for kind in KINDS}
    if options.protocol != "5" and not refused:
        step = 'MQTT 3.1.1 does not report refused messages: set protocol = "5" if the broker supports it'
        return Finding("doubtful", "rights", f"{topics}: all messages are acknowledged", step, dict.fromkeys(KINDS))
    if refused:
        kinds = ", ".join(f"{kind} ({reason})" for kind, reason in refused.items())
        step = (
            f"check 'prefix'; on the broker, user {options.username or '(none)'} needs the right to publish on "
            f"{topics}*, which wildpost broker add-station and upgrade give"
        )
        return Finding("fails", "rights", f"may not publish on {topics}: {kinds}", step, figures)
    return Finding("works", "rights", f"may publish on {topics}: {', '.join(KINDS)}", figures=figures)
