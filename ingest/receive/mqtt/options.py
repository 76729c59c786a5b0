"""How the intake reaches the broker: the options, and a client that is set up by them."""

import os
import ssl
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

Client = TypeVar("Client", bound=mqtt.Client)


class ReceiverOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to reach the broker.

    Attributes:
        host: Where the broker is.
        port: And on which port.
        prefix: First levels of every topic.
        client_id: Fixed, for the broker keeps messages under it while this server is away.
        username: Empty: none.
        password_file: A file that holds the password and nothing else; empty: the environment variable is asked.
        password_variable: Name of the environment variable that holds it.
        protocol: MQTT "5", or "3.1.1" for brokers that speak no other.
        tls: Whether to encrypt and to check the broker's certificate.
        ca_file: The authority that signed the certificate; empty: those the system trusts.
        keepalive_s: How soon a dead line is noticed.
        session_expiry_s: How long the broker keeps messages for a server that is away; MQTT 5 only.
        receive_maximum: How many messages may be under way unacknowledged: bounds memory; MQTT 5 only.
        batch_messages: How many messages one commit takes at most.
        batch_bytes: And how many bytes; where four times as many wait, no more are read from the line.
        retry_min_s: First wait before trying again where store, casebook or media did not take a batch.
        retry_max_s: Longest.
        live_minutes: While a backlog is worked off, flagged captures no older than this go first; 0: none do. MQTT 5.
        stuck_after_s: With no sign of life from the receiving loop for so long, /healthz answers 503.
    """

    host: str = "127.0.0.1"
    port: int = 1883
    prefix: str = "wildpost"
    client_id: str = "wildpost-server"
    username: str = ""
    password_file: str = ""
    password_variable: str = "WILDPOST_BROKER_PASSWORD"  # noqa: S105, its name
    protocol: Literal["5", "3.1.1"] = "5"
    tls: bool = False
    ca_file: str = ""
    keepalive_s: int = 30
    session_expiry_s: int = 30 * 24 * 3600
    receive_maximum: int = 4500
    batch_messages: int = 1500
    batch_bytes: int = 32_000_000
    retry_min_s: float = 0.2
    retry_max_s: float = 15.0
    live_minutes: float = 10.0
    stuck_after_s: float = 120.0


def make_client(kind: type[Client], options: ReceiverOptions, client_id: str, keep_session: bool = True) -> Client:
    """Set up a client; whoever asked for it connects it with ``connect_options``.

    Args:
        kind: paho's own, or the one that reads in large pieces.
        options: How to reach the broker.
        client_id: Under which name.
        keep_session: Whether the broker keeps what comes while we are away; then it is acknowledged by hand.

    Raises:
        OSError: the password file or the certificate authority's file cannot be read.
    """
    five = options.protocol == "5"
    client = kind(
        CallbackAPIVersion.VERSION2,
        client_id=client_id,
        clean_session=None if five else not keep_session,
        protocol=MQTTProtocolVersion.MQTTv5 if five else MQTTProtocolVersion.MQTTv311,
        manual_ack=keep_session,
    )
    if options.username:
        client.username_pw_set(options.username, broker_password(options))
    secure(client, options)
    client.reconnect_delay_set(1, 30)
    return client


def broker_password(options: ReceiverOptions) -> str | None:
    """Read the password from ``password_file`` or, if that is empty, from the environment variable; None: neither.

    Raises:
        OSError: the password file cannot be read.
    """
    if options.password_file:
        try:
            return Path(options.password_file).read_text().strip()
        except OSError as error:
            raise OSError(f"[broker] password_file {options.password_file!r}: {error.strerror}") from error
    return os.environ.get(options.password_variable)


def describe_refusal(options: ReceiverOptions, reason: object) -> str:
    """Write the message for a connection that the broker refused; it says which of the credentials to check."""
    message = (
        f"broker {options.host}:{options.port} refuses us: {reason}. "
        f"Check username {options.username!r} and its password"
    )
    # A username without a password is no error in itself: brokers without a password file accept it.
    if options.username and not options.password_file and not os.environ.get(options.password_variable):
        message += f": neither password_file nor the environment variable {options.password_variable} is set"
    return message


def secure(client: mqtt.Client, options: ReceiverOptions) -> None:
    """Have a client speak TLS and check the broker's certificate and name, where the options ask for it.

    Raises:
        OSError: the authority's file is not there or is none.
    """
    if options.tls:
        try:
            client.tls_set_context(ssl.create_default_context(cafile=options.ca_file or None))
        except OSError as error:
            raise OSError(
                f"[broker] ca_file {options.ca_file!r}: {error}: expected a certificate authority, PEM"
            ) from error


def connect_options(options: ReceiverOptions, keep_session: bool = True) -> dict[str, Any]:
    """Give what ``connect`` is told beside host and port."""
    if options.protocol != "5":
        return {}
    if not keep_session:
        return {"clean_start": True}
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.SessionExpiryInterval = options.session_expiry_s
    properties.ReceiveMaximum = options.receive_maximum
    return {"clean_start": False, "properties": properties}
