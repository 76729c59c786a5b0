"""Writes a new station's settings, from the commented example and from what the broker handed over."""

import json
import os
import re
import shutil
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec

from contract.messages import Name
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
    """What `wildpost broker add-station` gave for a station.

    Attributes:
        folder: Where ``ca.crt`` and ``wildpost.env`` lie.
        broker: How to reach the broker.
    """

    folder: Path
    broker: StationBrokerOptions


def read_handover(path: Path) -> Handover:
    """Read what was handed over: the folder, or the file broker.toml in it.

    Raises:
        SettingsError: it is not what the broker's command writes, or a part of it is missing.
    """
    file = path / "broker.toml" if path.is_dir() else path
    try:
        tables = tomllib.loads(file.read_text(encoding="utf-8"))
        broker = msgspec.convert(tables.get("broker"), StationBrokerOptions)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise SettingsError(
            f"credentials {file}: {error}; expected the broker.toml that `wildpost broker add-station` wrote"
        ) from error
    for name in (AUTHORITY, SECRETS):
        if not (file.parent / name).is_file():
            raise SettingsError(f"credentials {file}: no {name} beside it; bring the whole folder that was handed over")
    return Handover(file.parent, broker)


@dataclass(frozen=True, slots=True)
class StationPlan:
    """What a new station is to be.

    Attributes:
        name: Unique in the reserve.
        deployment: This placing of it.
        broker: Keys of the table [broker] and their values.
        station: Further keys of the table [station].
        sensors: Device or folder of each kind that it has.
        handover: What the broker gave for it; None: an open broker.
    """

    name: str
    deployment: str
    broker: Mapping[str, Any]
    station: Mapping[str, Any]
    sensors: Mapping[Kind, str]
    handover: Handover | None = None


def write_station(folder: Path, plan: StationPlan) -> Path:
    """Write the settings, and beside them what the broker handed over; a relative folder to watch is made.

    Returns:
        The settings file.

    Raises:
        SettingsError: a name or value cannot be, or one of the files is there already.
    """
    folder = folder.absolute()
    broker = dict(plan.broker)
    if plan.handover is not None:
        given = plan.handover.broker
        if given.username != plan.name:  # the broker would refuse every message
            raise SettingsError(f"--name {plan.name!r}: these credentials are for station {given.username!r}")
        handed = {key: getattr(given, key) for key in ("host", "port", "prefix", "username", "tls")}
        broker = handed | broker | {"ca_file": str(folder / AUTHORITY)}
    for option, value in (("name", plan.name), ("deployment", plan.deployment)):
        try:
            msgspec.convert(value, Name)
        except msgspec.ValidationError:
            raise SettingsError(
                f"--{option} {value!r}: expected 1 to 63 letters, digits, - and _, the first a letter or digit"
            ) from None
    text = _filled(EXAMPLE.read_text(encoding="utf-8"), plan, broker)
    try:
        msgspec.convert(tomllib.loads(text), StationSettings)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{SETTINGS}: {error}") from error
    except msgspec.ValidationError as error:
        raise SettingsError(f"{SETTINGS}: {describe_validation_error(error)}") from error
    names = [SETTINGS, *([AUTHORITY, SECRETS] if plan.handover else [])]
    there = [name for name in names if (folder / name).exists()]
    if there:
        raise SettingsError(f"{folder}: {', '.join(there)} there already: move it away, or choose another folder")
    folder.mkdir(parents=True, exist_ok=True)
    if "folder" in plan.sensors and not Path(plan.sensors["folder"]).is_absolute():
        (folder / plan.sensors["folder"]).mkdir(parents=True, exist_ok=True)
    if plan.handover is not None:
        shutil.copyfile(plan.handover.folder / AUTHORITY, folder / AUTHORITY)
        _write_new(folder / SECRETS, (plan.handover.folder / SECRETS).read_text(encoding="utf-8"), 0o600)
    # Last, so that a file of settings never stands without what it names.
    _write_new(folder / SETTINGS, text, 0o644)
    return folder / SETTINGS


def provide_secrets(settings: Path) -> None:
    """Take passwords from wildpost.env beside the settings, as systemd does, where the environment has none.

    Raises:
        SettingsError: the file is there and cannot be read.
    """
    file = settings.parent / SECRETS
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file}: {error}; it holds the password: run as root or the user it belongs to") from error
    for line in lines:
        variable, given, value = line.strip().partition("=")
        if given and not variable.startswith("#"):
            os.environ.setdefault(variable, value)


def _filled(example: str, plan: StationPlan, broker: Mapping[str, Any]) -> str:
    """Put the plan into the example, paragraph by paragraph; what is not told stays a comment with its default."""
    values: dict[str, Mapping[str, Any]] = {
        "[station]": {"name": plan.name, "deployment": plan.deployment, "latitude": None, "longitude": None}
        | dict(plan.station),
        "[broker]": broker,
    }
    paragraphs = []
    for paragraph in example.rstrip("\n").split("\n\n"):
        kind = _sensor_in(paragraph)
        if kind is None:
            paragraphs.append(_set(paragraph, values))
        elif kind in plan.sensors:
            table = "[[sensors]]" if kind == "folder" else f"[sensors.{kind}]"
            setting = {"folder" if kind == "folder" else "device": plan.sensors[kind]}
            paragraphs.append(_set(_taken_up(paragraph), {table: setting if plan.sensors[kind] else {}}))
        else:
            paragraphs.append(_left_out(paragraph))
    return "\n\n".join(paragraphs) + "\n"


def _sensor_in(paragraph: str) -> Kind | None:
    if "[[sensors]]" not in paragraph:
        return None
    found = re.search(r'source = "(folder|camera|microphone)"', paragraph)
    assert found is not None, "the example names the source of each sensor"  # noqa: S101
    kind: Kind = found.group(1)  # type: ignore[assignment]
    return kind


def _set(paragraph: str, values: Mapping[str, Mapping[str, Any]]) -> str:
    """Set keys, whether the example has them as a comment or not; None makes a comment of one."""
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


def _taken_up(paragraph: str) -> str:
    """Make settings of a sensor that stands in the example as a comment."""
    lines = paragraph.split("\n")
    if "[[sensors]]" in lines:
        return paragraph
    return "\n".join(line if not _is_setting(line) else line.removeprefix("# ") for line in lines)


def _left_out(paragraph: str) -> str:
    return "\n".join(line if line.startswith("#") or not line else f"# {line}" for line in paragraph.split("\n"))


def _is_setting(line: str) -> bool:
    return bool(_HEADER.match(line) or _SETTING.fullmatch(line))


def _toml(value: object) -> str:
    """Write a value of TOML: JSON's strings, numbers and truth values are, whatever characters a path holds."""
    return json.dumps(value, ensure_ascii=False)


def _write_new(path: Path, text: str, mode: int) -> None:
    try:
        with open(path, "x", encoding="utf-8", opener=lambda name, flags: os.open(name, flags, mode)) as file:
            file.write(text)
        path.chmod(mode)  # whatever the umask: the service is another user, and reads the settings
    except FileExistsError as error:
        raise SettingsError(f"{path}: there already: move it away, or choose another folder") from error
