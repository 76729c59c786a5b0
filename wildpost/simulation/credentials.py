"""Broker credentials of simulated stations, as `wildpost broker init` and `add-station` wrote them."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from contract.errors import InvalidInput
from contract.mqtt import BrokerOptions
from wildpost.station.setup import AUTHORITY, SECRETS, read_handover


def station_connections(folder: Path, names: Sequence[str], host: str, port: int) -> Mapping[str, BrokerOptions]:
    """Return the connection of each station, with the password in an environment variable of this process.

    Args:
        folder: Folder with the handed-over folder of each station.
        names: Names of the stations.
        host: Host of the broker, which wins over the one in the files.
        port: Port; 0: that in the files.

    Raises:
        InvalidInput: a station has no credentials.
        SettingsError: its credentials cannot be read.
    """
    found: dict[str, BrokerOptions] = {}
    for number, name in enumerate(names):
        if not (folder / name).is_dir():
            raise InvalidInput(
                f"{folder / name}: no such folder: expected the credentials of each simulated station; "
                f"`wildpost broker add-station {name}` writes them"
            )
        handover = read_handover(folder / name)
        variable = f"WILDPOST_SIMULATED_{number}"
        os.environ[variable] = (folder / name / SECRETS).read_text(encoding="utf-8").partition("=")[2].strip()
        given = msgspec.structs.asdict(handover.broker)
        shared = {key: given[key] for key in BrokerOptions.__struct_fields__}
        found[name] = BrokerOptions(
            **shared
            | {"host": host, "port": port or given["port"], "password_variable": variable}
            | {"ca_file": str(folder / name / AUTHORITY), "password_file": ""}
        )
    return found
