"""Connections to the MQTT broker: credentials, TLS and protocol version, the same for every part of Wildpost."""

from contract.mqtt.connection import BrokerOptions, connect_arguments, describe_refusal, make_client, read_password

__all__ = ["BrokerOptions", "connect_arguments", "describe_refusal", "make_client", "read_password"]
