"""Explanations of a refused connection: what the broker's reason code means, and what to do."""

import os

from contract.mqtt.connection import BrokerOptions
from contract.server_users import ACCOUNT

# Reason codes of CONNACK, MQTT 5, table 3-1; paho converts those of MQTT 3.1.1 (table 3.1) to them.
UNSUPPORTED_PROTOCOL, CLIENT_ID, BAD_CREDENTIALS, NOT_AUTHORISED = 0x84, 0x85, 0x86, 0x87
_STEPS = {
    0x81: 'the broker could not read the connection request: try protocol = "3.1.1", else read the broker\'s log',
    0x82: 'the broker found an error in the connection request: try protocol = "3.1.1", else read the broker\'s log',
    0x83: "the broker does not take this connection for a reason of its own: read the broker's log",
    0x88: "the broker is starting or out of order: wait, then check the broker and read its log",
    0x89: "the broker has too much to do: wait, then check its load and its limit of connections",
    0x8A: "the broker has banned this client: an operator of the broker must lift the ban",
    0x8C: "the broker expects another method of authentication than user name and password: change its settings",
    0x90: "the broker does not accept the station's topics: check 'prefix'",
    0x95: "the connection request is too large for the broker: raise its largest packet size",
    0x97: "a limit of the broker is exceeded: raise it for this client",
    0x9A: "the broker does not keep retained messages, which the status of a station needs: switch them on",
    0x9B: "the broker does not support QoS 1, which no message can do without: switch it on",
    0x9C: "the broker wants this client to use another server: ask its operator, and correct 'host'",
    0x9D: "the broker has moved to another server for good: ask its operator, and correct 'host'",
    0x9F: "too many connections in a short time: wait; if it stays so, raise the broker's limit",
}


def refusal_step(options: BrokerOptions, code: int | None) -> str:
    """Return what to do about a connection that the broker refused with a reason code of MQTT 5.

    Args:
        options: Options of the connection.
        code: The reason code; None: it is not known.
    """
    if code == UNSUPPORTED_PROTOCOL:
        other = "3.1.1" if options.protocol == "5" else "5"
        return f'set protocol = "{other}": the broker does not support MQTT {options.protocol}'
    if code == CLIENT_ID:
        return "the broker does not accept the client id, 'wildpost-' and the name: allow it on the broker"
    if code in (BAD_CREDENTIALS, NOT_AUTHORISED, None):
        return credentials_step(options)
    return _STEPS.get(code, "read the broker's log")


def credentials_step(options: BrokerOptions) -> str:
    """Return which credentials to check."""
    step = f"check username {options.username!r} and its password"
    # A username without a password is not always wrong: brokers without a password file accept it.
    if options.username and not options.password_file and not os.environ.get(options.password_variable):
        return f"{step}: neither password_file nor the environment variable {options.password_variable} is set"
    if options.username == ACCOUNT:
        return f"{step}; after an update of Wildpost, run `wildpost broker upgrade` on the broker's folder once"
    return step


def reason_code(reason: object) -> int | None:
    """Return the number of a reason code of paho; None of anything else."""
    value = getattr(reason, "value", None)
    return value if isinstance(value, int) else None


def describe_refusal(options: BrokerOptions, reason: object) -> str:
    """Return the error message for a connection that the broker refused, with what to do."""
    step = refusal_step(options, reason_code(reason))
    return f"broker {options.address} refuses the connection: {reason}. {step[0].upper()}{step[1:]}"
