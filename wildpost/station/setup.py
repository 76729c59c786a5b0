"""Writes a new station's settings from the commented example and the station's broker credentials."""

import json
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec

from contract.bounds import Name
from contract.private_files import make_private_folder
from edge.remote.options import RemoteOptions
from edge.transport.mqtt.publisher import StationBrokerOptions
from wildpost.settings.examples import EXAMPLES
from wildpost.settings.loader import SettingsError, describe_validation_error
from wildpost.settings.station import StationSettings

SETTINGS, AUTHORITY, SECRETS = "station.toml", "ca.crt", "wildpost.env"
Kind = Literal["folder", "camera", "microphone"]
EXAMPLE = EXAMPLES / SETTINGS

_HEADER = re.compile(r"(?:# )?(\[+[\w.]+\]+)\s*$")
_SETTING = re.compile(r"(?:# )?(\w+) = (.*?)(\s*#.*)?")


@dataclass(frozen=True, slots=True)
class Handover:
    """Broker credentials of a station, written by `wildpost broker add-station`.

    Attributes:
        folder: Folder of ``ca.crt`` and ``wildpost.env``.
        broker: Connection to the broker.
        root_key: Public key of the root of commands; "": the broker's folder has none.
    """

    folder: Path
    broker: StationBrokerOptions
    root_key: str = ""


def read_handover(path: Path) -> Handover:
    """Read a station's broker credentials; ``path`` is the handover folder, or broker.toml in that folder.

    Raises:
        SettingsError: broker.toml is not valid, or one of the files is missing.
    """
    file = path / "broker.toml" if path.is_dir() else path
    try:
        tables = tomllib.loads(file.read_text(encoding="utf-8"))
        broker = msgspec.convert(tables.get("broker"), StationBrokerOptions)
        remote = msgspec.convert(tables.get("remote", {}), RemoteOptions)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise SettingsError(
            f"credentials {file}: {error}; expected the broker.toml that `wildpost broker add-station` wrote"
        ) from error
    for name in (AUTHORITY, SECRETS):
        if not (file.parent / name).is_file():
            raise SettingsError(f"credentials {file}: no {name} beside it; copy the whole handover folder")
    return Handover(file.parent, broker, remote.root_key)


@dataclass(frozen=True, slots=True)
class StationPlan:
    """Values for the settings file of a new station.

    Attributes:
        name: Unique in the reserve.
        deployment: Name of this deployment.
        broker: Keys of the table [broker] and their values.
        station: Further keys of the table [station].
        sensors: Device or folder of each kind of sensor.
        handover: Broker credentials; None: a broker without authentication.
    """

    name: str
    deployment: str
    broker: Mapping[str, Any]
    station: Mapping[str, Any]
    sensors: Mapping[Kind, str]
    handover: Handover | None = None


def write_station(folder: Path, plan: StationPlan) -> Path:
    """Write the settings file and the broker credentials of a new station into ``folder``.

    A watched folder with a relative path is created.

    Returns:
        The settings file.

    Raises:
        SettingsError: a name or value is not valid, or one of the files already exists.
    """
    folder = folder.absolute()
    broker = dict(plan.broker)
    if plan.handover is not None:
        given = plan.handover.broker
        if given.username != plan.name:  # the broker would refuse every message
            raise SettingsError(f"--name {plan.name!r}: these credentials are for station {given.username!r}")
        credentials = {key: getattr(given, key) for key in ("host", "port", "prefix", "username", "tls")}
        broker = credentials | broker | {"ca_file": str(folder / AUTHORITY)}
    for option, value in (("name", plan.name), ("deployment", plan.deployment)):
        try:
            msgspec.convert(value, Name)
        except msgspec.ValidationError:
            raise SettingsError(
                f"--{option} {value!r}: expected 1 to 63 letters, digits, - and _, the first a letter or digit"
            ) from None
    root_key = plan.handover.root_key if plan.handover else ""
    text = _filled(EXAMPLE.read_text(encoding="utf-8"), plan, broker, {"root_key": root_key} if root_key else {})
    try:
        msgspec.convert(tomllib.loads(text), StationSettings)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{SETTINGS}: {error}") from error
    except msgspec.ValidationError as error:
        raise SettingsError(f"{SETTINGS}: {describe_validation_error(error)}") from error
    names = [SETTINGS, *([AUTHORITY, SECRETS] if plan.handover else [])]
    existing = [name for name in names if (folder / name).exists()]
    if existing:
        raise SettingsError(f"{folder}: already contains {', '.join(existing)}: move it, or choose another folder")
    make_private_folder(folder)
    if "folder" in plan.sensors and not Path(plan.sensors["folder"]).is_absolute():
        (folder / plan.sensors["folder"]).mkdir(parents=True, exist_ok=True)
    if plan.handover is not None:
        authority = (plan.handover.folder / AUTHORITY).read_text(encoding="utf-8")
        _write_new(folder / AUTHORITY, authority, 0o644)
        _write_new(folder / SECRETS, (plan.handover.folder / SECRETS).read_text(encoding="utf-8"), 0o600)
    # Written last, so that the settings never refer to files that do not exist.
    # Group-readable: the service runs as another user. Not by others: a camera's address can contain a password.
    _write_new(folder / SETTINGS, text, 0o640)
    return folder / SETTINGS


def provide_secrets(settings: Path) -> None:
    """Set the environment variables listed in wildpost.env, the file beside the settings file.

    systemd does the same for a service. A variable that already exists keeps its value.

    Raises:
        SettingsError: the file exists but cannot be read.
    """
    file = settings.parent / SECRETS
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file}: {error}; it holds the password: run as root or as the file's owner") from error
    for line in lines:
        variable, given, value = line.strip().partition("=")
        if given and not variable.startswith("#"):
            os.environ.setdefault(variable, value)


def _filled(example: str, plan: StationPlan, broker: Mapping[str, Any], remote: Mapping[str, Any]) -> str:
    """Return the example settings file with the values of the plan filled in.

    Other settings stay comments with their defaults.
    """
    values: dict[str, Mapping[str, Any]] = {
        "[station]": {"name": plan.name, "deployment": plan.deployment, "latitude": None, "longitude": None}
        | dict(plan.station),
        "[broker]": broker,
        "[remote]": remote,
    }
    paragraphs = []
    for paragraph in example.rstrip("\n").split("\n\n"):
        kind = _sensor_in(paragraph)
        if kind is None:
            paragraphs.append(_set(paragraph, values))
        elif kind in plan.sensors:
            table = "[[sensors]]" if kind == "folder" else f"[sensors.{kind}]"
            setting = {"folder" if kind == "folder" else "device": plan.sensors[kind]}
            paragraphs.append(_set(_uncommented(paragraph), {table: setting if plan.sensors[kind] else {}}))
        else:
            paragraphs.append(_commented_out(paragraph))
    return "\n\n".join(paragraphs) + "\n"


def _sensor_in(paragraph: str) -> Kind | None:
    if "[[sensors]]" not in paragraph:
        return None
    found = re.search(r'source = "(folder|camera|microphone)"', paragraph)
    assert found is not None, "the example names the source of each sensor"  # noqa: S101
    kind: Kind = found.group(1)  # type: ignore[assignment]
    return kind


def _set(paragraph: str, values: Mapping[str, Mapping[str, Any]]) -> str:
    """Replace the values of some keys in a paragraph of a settings file; the value None comments the key out.

    Keys that are commented out in the paragraph are set too.
    """
    table, lines = "", []
    for line in paragraph.split("\n"):
        if header := _HEADER.match(line):
            table = header.group(1)
        setting = _SETTING.fullmatch(line)
        if setting and setting.group(1) in values.get(table, {}):
            key, comment = setting.group(1), (setting.group(3) or "").strip()
            value = values[table][key]
            shown = f"# {key} = {setting.group(2)}" if value is None else f"{key} = {_toml(value)}"
            line = f"{shown:<30}{comment}" if comment else shown
            line = line if not comment or len(shown) < 30 else f"{shown}   {comment}"
        lines.append(line)
    return "\n".join(lines)


def _uncommented(paragraph: str) -> str:
    """Return a sensor's paragraph of the settings file with all settings uncommented."""
    lines = paragraph.split("\n")
    if "[[sensors]]" in lines:
        return paragraph
    return "\n".join(line if not _is_setting(line) else line.removeprefix("# ") for line in lines)


def _commented_out(paragraph: str) -> str:
    return "\n".join(line if line.startswith("#") or not line else f"# {line}" for line in paragraph.split("\n"))


def _is_setting(line: str) -> bool:
    return bool(_HEADER.match(line) or _SETTING.fullmatch(line))


def _toml(value: object) -> str:
    """Return a string, number or boolean as a TOML value.

    JSON values are valid TOML for any characters in a path.
    """
    return json.dumps(value, ensure_ascii=False)


def _write_new(path: Path, text: str, mode: int) -> None:
    try:
        with open(path, "x", encoding="utf-8", opener=lambda name, flags: os.open(name, flags, mode)) as file:
            file.write(text)
        path.chmod(mode)  # independent of the umask: the service reads the settings as another user
    except FileExistsError as error:
        raise SettingsError(f"{path}: already exists: move it, or choose another folder") from error
