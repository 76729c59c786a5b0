"""Options of a connection to the MQTT broker, and a paho client that is configured from the options."""

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

from contract.redaction import VariableName

Client = TypeVar("Client", bound=mqtt.Client)


class BrokerOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of a connection to the MQTT broker.

    Attributes:
        host: Name or address of the broker.
        port: 1883, or 8883 with TLS.
        prefix: First levels of every topic, the same for stations and server.
        username: Name of the user; empty: connect without one.
        password_file: A file that holds the password and nothing else; empty: use the environment variable.
        password_variable: Name of the environment variable with the password; the settings never contain it.
        protocol: MQTT version; "3.1.1" for a broker that does not speak 5.
        tls: Whether to encrypt and to verify the broker's certificate and name.
        ca_file: PEM file of the authority that signed the broker's certificate; empty: the system's authorities.
        keepalive_s: Keep-alive interval in seconds; a broken connection is detected after 1.5 intervals.
    """

    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=1, le=65535)] = 1883
    prefix: str = "wildpost"
    username: str = ""
    password_file: str = ""
    password_variable: VariableName = "WILDPOST_BROKER_PASSWORD"  # noqa: S105, its name
    protocol: Literal["5", "3.1.1"] = "5"
    tls: bool = False
    ca_file: str = ""
    keepalive_s: Annotated[int, Meta(ge=1, le=3600)] = 60

    @property
    def address(self) -> str:
        """Host and port of the broker as ``host:port``, for log and error messages."""
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
    """Return an unconnected paho client; pass ``connect_arguments`` to the client's ``connect``.

    Args:
        kind: ``paho.mqtt.client.Client`` or a subclass.
        options: Options of the connection.
        client_id: Unique at the broker; "": the broker chooses one.
        keep_session: Whether the broker keeps messages for this client while it is disconnected.
        manual_ack: Whether the caller acknowledges each message that it received.
        reconnect: Whether to connect again after the connection broke.
        reconnect_max_s: Longest pause between two attempts; the first is 1 s.

    Raises:
        OSError: the password file or the certificate authority's file cannot be read.
    """
    version_5 = options.protocol == "5"
    client = kind(
        CallbackAPIVersion.VERSION2,
        client_id=client_id,
        clean_session=None if version_5 else not keep_session,
        protocol=MQTTProtocolVersion.MQTTv5 if version_5 else MQTTProtocolVersion.MQTTv311,
        reconnect_on_failure=reconnect,
        manual_ack=manual_ack,
    )
    if options.username:
        client.username_pw_set(options.username, read_password(options))
    if options.tls:
        client.tls_set_context(tls_context(options))
    client.reconnect_delay_set(1, reconnect_max_s)
    return client


def stop_network_thread(client: mqtt.Client) -> None:
    """Stop a client's network thread and close the sockets that paho keeps for it.

    paho's ``loop_stop`` leaves the socket pair that wakes the thread open until the client is garbage-collected, so a
    process that connects again and again would run out of file descriptors.
    """
    client.loop_stop()
    client._reset_sockets(sockpair_only=True)


def connect_arguments(
    options: BrokerOptions, *, keep_session: bool, session_expiry_s: int = 0, receive_maximum: int | None = None
) -> dict[str, Any]:
    """Return the keyword arguments for the ``connect`` and ``connect_async`` methods of a paho client.

    Args:
        options: Options of the connection.
        keep_session: As given to ``make_client``.
        session_expiry_s: How long the broker keeps the session of a disconnected client, in seconds; MQTT 5 only.
        receive_maximum: Largest number of unacknowledged messages that the broker sends; MQTT 5 only.
    """
    arguments = {"host": options.host, "port": options.port, "keepalive": options.keepalive_s}
    if options.protocol != "5":
        return arguments
    if not keep_session:
        return arguments | {"clean_start": True}
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.SessionExpiryInterval = session_expiry_s
    if receive_maximum is not None:
        properties.ReceiveMaximum = receive_maximum
    return arguments | {"clean_start": False, "properties": properties}


def read_password(options: BrokerOptions) -> str | None:
    """Return the password from ``password_file`` or, without one, the environment variable; None if unset.

    Raises:
        OSError: the password file cannot be read.
    """
    if options.password_file:
        try:
            return Path(options.password_file).read_text().strip()
        except OSError as error:
            # A text without a folder may be the password itself, written there by mistake.
            shown = f" {options.password_file!r}" if os.sep in options.password_file else ""
            raise OSError(f"[broker] password_file{shown}: {error.strerror}") from None
    return os.environ.get(options.password_variable)


def tls_context(options: BrokerOptions) -> ssl.SSLContext:
    """Return a TLS context that verifies the broker's certificate and host name.

    Raises:
        OSError: the authority's file is missing or has no certificate.
    """
    try:
        return ssl.create_default_context(cafile=options.ca_file or None)
    except OSError as error:
        raise OSError(
            f"[broker] ca_file {options.ca_file!r}: {error}: expected a certificate authority, PEM"
        ) from error


def describe_refusal(options: BrokerOptions, reason: object) -> str:
    """Return the error message for a connection that the broker refused, with the credentials to check."""
    message = f"broker {options.address} refuses the connection: {reason}."
    message += f" Check username {options.username!r} and its password"
    # A username without a password is not always wrong: brokers without a password file accept it.
    if options.username and not options.password_file and not os.environ.get(options.password_variable):
        message += f": neither password_file nor the environment variable {options.password_variable} is set"
    return message
