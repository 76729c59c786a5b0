"""The identity of an installation: an id in its data folder, and the MQTT client id that follows from it."""

import uuid
from pathlib import Path

import msgspec

from contract.bounds import Uuid
from contract.durable_file import durable_file
from contract.errors import InvalidInput
from ingest.receive.mqtt.options import CLIENT_ID
from wildpost.settings.server import ServerSettings

FILE = "installation.json"
# What earlier versions left behind: the broker may hold messages for their client id.
_EARLIER = ("casebook.sqlite", "detections.duckdb", "workers.json", "spool", "revocations-wildpost-server.json")


class Installation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Identity of an installation, as stored in its data folder.

    Attributes:
        id: Made at the first start, never changed.
        client_id: MQTT client id of its server, unless the settings name one.
    """

    id: Uuid
    client_id: str


def installation(folder: Path) -> Installation:
    """Return the identity of the installation with a data folder; make one at the first start.

    An installation of an earlier version keeps its client id, so that it receives what the broker holds for it.

    Raises:
        InvalidInput: the file is damaged.
        OSError: the file cannot be read or written.
    """
    file = folder / FILE
    try:
        return msgspec.json.decode(file.read_bytes(), type=Installation)
    except FileNotFoundError:
        pass
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(
            f"{file}: {error}: expected the id and client_id of this installation; restore it from a backup"
        ) from error
    made = str(uuid.uuid4())
    earlier = any((folder / name).exists() for name in _EARLIER)
    identity = Installation(made, CLIENT_ID if earlier else f"{CLIENT_ID}-{made[:8]}")
    with durable_file(file) as written:
        written.write(msgspec.json.encode(identity))
    return identity


def with_client_id(settings: ServerSettings, client_id: str) -> ServerSettings:
    """Return a copy of the settings with another MQTT client id."""
    return msgspec.structs.replace(settings, broker=msgspec.structs.replace(settings.broker, client_id=client_id))


def identified(settings: ServerSettings, folder: Path) -> ServerSettings:
    """Return the settings with the client id of the installation, unless they name one."""
    found = installation(folder)
    return settings if settings.broker.client_id else with_client_id(settings, found.client_id)
