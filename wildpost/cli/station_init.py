"""`wildpost station init`: writes the settings of a new station."""

import argparse
from pathlib import Path
from typing import Any

from wildpost.settings.loader import SettingsError


def add(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the action `init` to the parser of `wildpost station`."""
    about = "write the commented settings file of a new station"
    init = actions.add_parser("init", help=about, description=about)
    init.add_argument("folder", type=Path, help="folder for station.toml, such as /etc/wildpost")
    init.add_argument("--name", required=True, help="name of the station, unique in the reserve, such as lake-07")
    init.add_argument("--deployment", required=True, help="name of this deployment, such as lake-07-2026a")
    init.add_argument("--broker", metavar="HOST[:PORT]", help="address of the broker; not needed with --credentials")
    init.add_argument(
        "--credentials",
        type=Path,
        metavar="FILE",
        help="the folder written by `wildpost broker add-station`, or broker.toml in it",
    )
    init.add_argument("--latitude", type=float, help="of the station, in decimal degrees of WGS 84")
    init.add_argument("--longitude", type=float, help="see --latitude")
    init.add_argument("--utc-offset", help="of the clocks of cameras and recorders, such as +08:00")
    init.add_argument("--time-zone", help="of these clocks instead, with summer time, such as Europe/Berlin")
    init.add_argument("--watch", metavar="FOLDER", help="add a sensor that watches this folder (default: captures)")
    init.add_argument("--camera", metavar="DEVICE", help="add a camera: 0 for /dev/video0, or rtsp://...")
    init.add_argument(
        "--microphone",
        metavar="DEVICE",
        nargs="?",
        const="",
        help="add a microphone; without DEVICE, the system's default",
    )
    init.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write the settings and credentials of a new station and print the next step."""
    from wildpost.station.setup import SECRETS, Kind, StationPlan, read_handover, write_station

    handover = read_handover(arguments.credentials) if arguments.credentials else None
    if arguments.broker is None and handover is None:
        raise SettingsError("station init: expected --broker HOST, or --credentials FILE")
    given = {"latitude": arguments.latitude, "longitude": arguments.longitude, "utc_offset": arguments.utc_offset}
    given["time_zone"] = arguments.time_zone
    devices: dict[Kind, str | None] = {
        "folder": arguments.watch,
        "camera": arguments.camera,
        "microphone": arguments.microphone,
    }
    sensors = {kind: device for kind, device in devices.items() if device is not None}
    plan = StationPlan(
        name=arguments.name,
        deployment=arguments.deployment,
        broker=_broker(arguments.broker) if arguments.broker else {},
        station={key: value for key, value in given.items() if value is not None},
        sensors=sensors or {"folder": "captures"},
        handover=handover,
    )
    written = write_station(arguments.folder, plan)
    if handover is not None:
        _erase(handover.folder / SECRETS)
    print(f"{written} is ready: review it, then run: wildpost station check {written}")
    return 0


def _erase(secrets: Path) -> None:
    """Erase the handed-over password, which the station's folder now has."""
    from wildpost.broker.handover import erase_file

    try:
        erase_file(secrets)
        print(f"the password in {secrets} is erased: it is now in the station's folder alone")
    except OSError as error:
        print(f"erase {secrets} yourself, it holds the station's password: {error.strerror}")


def _broker(address: str) -> dict[str, Any]:
    """Parse a broker address, HOST, HOST:PORT or [ADDRESS]:PORT, into keys of the table [broker]."""
    host, colon, port = address.rpartition(":")
    if not colon or (":" in host and not address.startswith("[")):
        return {"host": address.strip("[]")}
    if not port.isdigit():
        raise SettingsError(f"--broker {address!r}: expected HOST or HOST:PORT")
    return {"host": host.strip("[]"), "port": int(port)}
