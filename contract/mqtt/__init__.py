"""MQTT connection code that all packages share: credentials, TLS and protocol version."""

from contract.mqtt.connection import (
    BrokerOptions,
    OwnCredentials,
    connect_arguments,
    make_client,
    read_password,
    stop_network_thread,
)
from contract.mqtt.refusal import describe_refusal

__all__ = [
    "BrokerOptions",
    "OwnCredentials",
    "connect_arguments",
    "describe_refusal",
    "make_client",
    "read_password",
    "stop_network_thread",
]
