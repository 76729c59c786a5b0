"""MQTT connections of all packages: credentials, TLS and protocol version."""

from contract.mqtt.connection import BrokerOptions, connect_arguments, describe_refusal, make_client, read_password

__all__ = ["BrokerOptions", "connect_arguments", "describe_refusal", "make_client", "read_password"]
