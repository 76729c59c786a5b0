"""Text of the Mosquitto configuration that `wildpost broker init` writes, with the reason for each limit."""

import ipaddress
from dataclasses import dataclass
from pathlib import Path

from contract import LIMIT_BYTES
from wildpost.broker.dynamic_security import FILE
from wildpost.broker.rights import BrokerFolderError

PERSISTENCE = "persistence_location /var/lib/mosquitto/\n"  # Mosquitto does not start if this is set twice
_HEADER_BYTES = 66_000  # a topic and the other fields of a packet without its payload


@dataclass(frozen=True, slots=True)
class Listeners:
    """Addresses on which the broker listens.

    Attributes:
        port: TLS port of the stations, on every address.
        server_port: TLS port of the server's connections.
        server_host: Address of ``server_port``; if others than this machine reach it, it demands a client certificate.
    """

    port: int = 8883
    server_port: int = 8884
    server_host: str = "127.0.0.1"

    @property
    def server_is_local(self) -> bool:
        """Whether only programs of this machine can connect to ``server_port``."""
        return ipaddress.ip_address(self.server_host).is_loopback

    def check(self) -> None:
        """Check the ports and the address.

        Raises:
            BrokerFolderError: a port is not valid, both are the same, or the address is not an IP address.
        """
        for port in (self.port, self.server_port):
            if not 0 < port < 65536:
                raise BrokerFolderError(f"port {port}: expected 1 to 65535")
        if self.port == self.server_port:
            raise BrokerFolderError(f"port {self.port}: stations and server need different ports")
        try:
            ipaddress.ip_address(self.server_host)
        except ValueError as error:
            raise BrokerFolderError(f"--server-host {self.server_host!r}: expected an IP address") from error


def configuration(folder: Path, prefix: str, listeners: Listeners) -> str:
    """Return the text of mosquitto.conf; included.conf is the same without ``PERSISTENCE``.

    Mosquitto drops silently what exceeds ``max_queued_messages`` or ``max_queued_bytes``: it acknowledges such a
    message with success (observed on 2.0.11), and the station deletes it. Therefore neither is limited.
    """
    tls = f"certfile {folder}/broker.crt\nkeyfile {folder}/broker.key\ntls_version tlsv1.2\n"
    client_certificate = "" if listeners.server_is_local else f"cafile {folder}/ca.crt\nrequire_certificate true\n"
    packet_bytes = max(LIMIT_BYTES.values()) + _HEADER_BYTES
    return f"""\
# Created by `wildpost broker init`; change users with `wildpost broker`, and this file by `wildpost broker upgrade`.
# topics begin with {prefix}

# Stations. The user name is the client id: a station has one connection, and cannot take the session of another client.
listener {listeners.port}
{tls}use_username_as_clientid true
# Fewer than the 1,024 files that a service may open by default, so that the server's listener stays reachable.
max_connections 900

# The server. Its client ids are free here, so that workers have one session each.
listener {listeners.server_port} {listeners.server_host}
{tls}{client_certificate}
# Users, password hashes and rights. Everything that is not granted is refused, subscriptions included.
allow_anonymous false
plugin mosquitto_dynamic_security.so
plugin_opt_config_file {folder}/{FILE}

persistence true
{PERSISTENCE}# A message that was acknowledged less than this before a crash is sent again by its station.
autosave_interval 30
# A session that nobody uses ends; the server's own session lasts 30 days.
persistent_client_expiration 60d

# The largest message of the contract is {max(LIMIT_BYTES.values())} bytes. This also bounds the retained messages,
# since a station may write to a fixed list of topics only.
max_packet_size {packet_bytes}
# Mosquitto acknowledges a message that exceeds a queue limit and then drops it: the station would delete it. So the
# queue for an absent server has no limit of its own. (With 0 messages, which also means no limit, Mosquitto 2.0.11
# disconnects a client whose message it refuses.)
max_queued_messages 1000000000
max_queued_bytes 0
# No memory_limit: with the dynamic-security plugin, Mosquitto 2.0.11 counts memory wrongly after each change of a user,
# until it refuses everything. configs/systemd/mosquitto.service.d/wildpost.conf bounds the memory of the service.
# Copies of messages on their way to a client: as many bytes as the server buffers. Without the limit, sending a backlog
# needs as much memory again.
max_inflight_messages 4500
max_inflight_bytes 128000000
# A station that vanished without a word is noticed after one and a half times this.
max_keepalive 3600

log_type error
log_type warning
log_type notice
log_type information
"""
