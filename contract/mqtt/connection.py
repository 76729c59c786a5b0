"""How to reach the broker, and a paho client that is set up accordingly."""

import os
import ssl
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import msgspec
import paho.mqtt.client as mqtt
from msgspec import Meta
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

Client = TypeVar("Client", bound=mqtt.Client)


class BrokerOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to reach the broker.

    Attributes:
        host: Name or address of the broker.
        port: 1883, or 8883 with TLS.
        prefix: First levels of every topic, the same for stations and server.
        username: Empty: connect without one.
        password_file: A file that holds the password and nothing else; empty: use the environment variable.
        password_variable: Name of the environment variable that holds the password; it is never in the settings.
        protocol: MQTT version; "3.1.1" for a broker that does not speak 5.
        tls: Whether to encrypt and to verify the broker's certificate and name.
        ca_file: Certificate authority that signed the broker's certificate, PEM; empty: those the system trusts.
        keepalive_s: A broken connection is detected after one and a half times this.
    """

    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=1, le=65535)] = 1883
    prefix: str = "wildpost"
    username: str = ""
    password_file: str = ""
    password_variable: str = "WILDPOST_BROKER_PASSWORD"  # noqa: S105, its name
    protocol: Literal["5", "3.1.1"] = "5"
    tls: bool = False
    ca_file: str = ""
    keepalive_s: Annotated[int, Meta(ge=1, le=3600)] = 60

    @property
    def address(self) -> str:
        """Host and port, for messages."""
        return f"{self.host}:{self.port}"


def make_client(
    kind: type[Client],
    options: BrokerOptions,
    client_id: str,
    *,
    keep_session: bool,
    manual_ack: bool = False,
    reconnect: bool = True,
    reconnect_max_s: int = 30,
) -> Client:
    """Set up a client; connect it with ``connect_arguments``.

    Args:
        kind: ``paho.mqtt.client.Client`` or a subclass.
        options: How to reach the broker.
        client_id: Unique at the broker; "": the broker chooses one.
        keep_session: Whether the broker keeps messages for this client while it is disconnected.
        manual_ack: Whether the caller acknowledges each message that it received.
        reconnect: Whether to connect again after the connection broke.
        reconnect_max_s: Longest pause between two attempts; the first is 1 s.

    Raises:
        OSError: the password file or the certificate authority's file cannot be read.
    """
    five = options.protocol == "5"
    client = kind(
        CallbackAPIVersion.VERSION2,
        client_id=client_id,
        clean_session=None if five else not keep_session,
        protocol=MQTTProtocolVersion.MQTTv5 if five else MQTTProtocolVersion.MQTTv311,
        reconnect_on_failure=reconnect,
        manual_ack=manual_ack,
    )
    if options.username:
        client.username_pw_set(options.username, read_password(options))
    if options.tls:
        client.tls_set_context(tls_context(options))
    client.reconnect_delay_set(1, reconnect_max_s)
    return client


def connect_arguments(
    options: BrokerOptions, *, keep_session: bool, session_expiry_s: int = 0, receive_maximum: int | None = None
) -> dict[str, Any]:
    """Return the keyword arguments of ``connect`` and ``connect_async``.

    Args:
        options: How to reach the broker.
        keep_session: As given to ``make_client``.
        session_expiry_s: How long the broker keeps the session of a client that is away; MQTT 5 only.
        receive_maximum: Most messages that the broker sends before one is acknowledged; MQTT 5 only.
    """
    where = {"host": options.host, "port": options.port, "keepalive": options.keepalive_s}
    if options.protocol != "5":
        return where
    if not keep_session:
        return where | {"clean_start": True}
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.SessionExpiryInterval = session_expiry_s
    if receive_maximum is not None:
        properties.ReceiveMaximum = receive_maximum
    return where | {"clean_start": False, "properties": properties}


def read_password(options: BrokerOptions) -> str | None:
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


def tls_context(options: BrokerOptions) -> ssl.SSLContext:
    """Return a context that verifies the broker's certificate and name.

    Raises:
        OSError: the authority's file is missing or holds no certificate.
    """
    try:
        return ssl.create_default_context(cafile=options.ca_file or None)
    except OSError as error:
        raise OSError(
            f"[broker] ca_file {options.ca_file!r}: {error}: expected a certificate authority, PEM"
        ) from error


def describe_refusal(options: BrokerOptions, reason: object) -> str:
    """Write the message for a connection that the broker refused; it says which of the credentials to check."""
    message = f"broker {options.address} refuses us: {reason}. Check username {options.username!r} and its password"
    # A username without a password is no error in itself: brokers without a password file accept it.
    if options.username and not options.password_file and not os.environ.get(options.password_variable):
        message += f": neither password_file nor the environment variable {options.password_variable} is set"
    return message
