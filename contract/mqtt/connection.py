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
from contract.server_users import ACCOUNT, ServerUser, derived_password

Client = TypeVar("Client", bound=mqtt.Client)
Options = TypeVar("Options", bound="BrokerOptions")


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
        certificate_file: PEM file of this client's certificate, for a listener that demands one; empty: none.
        key_file: PEM file of the private key of ``certificate_file``.
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
    certificate_file: str = ""
    key_file: str = ""
    keepalive_s: Annotated[int, Meta(ge=1, le=3600)] = 60

    @property
    def address(self) -> str:
        """Host and port of the broker as ``host:port``, for log and error messages."""
        return f"{self.host}:{self.port}"


class OwnCredentials(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Broker user of one part of the server, in place of the user in [broker].

    Attributes:
        username: Name of the user; empty: use the credentials of [broker].
        password_file: As in ``BrokerOptions``.
        password_variable: Environment variable with this user's password.
    """

    username: str = ""
    password_file: str = ""
    password_variable: VariableName = ""

    def applied_to(self, options: Options) -> Options:
        """Return the options with this user's credentials; unchanged if no user name is set."""
        if not self.username:
            return options
        return msgspec.structs.replace(
            options,
            username=self.username,
            password_file=self.password_file,
            password_variable=self.password_variable,
        )


def make_client(
    kind: type[Client],
    options: BrokerOptions,
    client_id: str,
    *,
    keep_session: bool,
    user: ServerUser | Literal[""] = "",
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
        user: User of this connection of the server, if ``options.username`` is the server's account; see
            ``contract.server_users``.
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
        client.username_pw_set(*_credentials(options, user))
    if options.tls:
        client.tls_set_context(tls_context(options))
    client.reconnect_delay_set(1, reconnect_max_s)
    return client


def _credentials(options: BrokerOptions, user: ServerUser | Literal[""]) -> tuple[str, str | None]:
    password = read_password(options)
    if user and options.username == ACCOUNT and password is not None:
        return user, derived_password(password, user)
    return options.username, password


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
        OSError: the file of the authority, certificate or key is missing or not valid.
    """
    try:
        context = ssl.create_default_context(cafile=options.ca_file or None)
    except OSError as error:
        raise OSError(
            f"[broker] ca_file {options.ca_file!r}: {error}: expected a certificate authority, PEM"
        ) from error
    if options.certificate_file:
        try:
            context.load_cert_chain(options.certificate_file, options.key_file or None)
        except OSError as error:
            raise OSError(
                f"[broker] certificate_file {options.certificate_file!r}, key_file {options.key_file!r}: {error}"
            ) from error
    return context
