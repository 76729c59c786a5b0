"""Settings of a station that the server may change: a list of fields with bounds, nested as in the settings file.

What is not listed cannot be changed from afar: names, places, keys, the broker, folders, addresses and models. A change
of the bounds is one of the contract.
"""

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from contract.bounds import Name
from contract.errors import InvalidInput

Values = Mapping[str, Any]
_Struct = TypeVar("_Struct", bound=Struct)
_MOST_SENSORS = 32
Threshold = Annotated[float, Meta(ge=0.05, le=0.99)]


class InvalidSettings(InvalidInput):
    """Raised when desired settings are not in the list, out of their bounds, or unfit for the station."""


class DesiredCamera(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Settings of a camera; ``device`` is the number of a local device, never an address."""

    device: Annotated[str, Meta(pattern=r"\A[0-9]{1,2}\Z")] | UnsetType = UNSET
    motion_share: Annotated[float, Meta(ge=0.0005, le=0.2)] | UnsetType = UNSET
    burst: Annotated[int, Meta(ge=1, le=10)] | UnsetType = UNSET
    rest_s: Annotated[float, Meta(ge=0, le=3600)] | UnsetType = UNSET


class DesiredSensor(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Settings of one sensor."""

    camera: DesiredCamera | UnsetType = UNSET
    visit_gap_s: Annotated[float, Meta(ge=1, le=3600)] | UnsetType = UNSET
    silence_db: Annotated[float, Meta(ge=-120, le=-20)] | UnsetType = UNSET


class DesiredStation(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Intervals of reports, in seconds."""

    health_s: Annotated[float, Meta(ge=30, le=86_400)] | UnsetType = UNSET
    effort_s: Annotated[float, Meta(ge=60, le=86_400)] | UnsetType = UNSET


class DesiredOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Lowest confidence that a detector reports."""

    threshold: Threshold | UnsetType = UNSET


class DesiredVision(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Settings of the network for pictures."""

    options: DesiredOptions | UnsetType = UNSET


class DesiredSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """All settings that the server wants to differ from the station's file; sensors by their names."""

    station: DesiredStation | UnsetType = UNSET
    sensors: Annotated[Mapping[Name, DesiredSensor], Meta(max_length=_MOST_SENSORS)] | UnsetType = UNSET
    vision: DesiredVision | UnsetType = UNSET
    birdnet: DesiredOptions | UnsetType = UNSET


def read_desired(text: str | bytes) -> DesiredSettings:
    """Read desired settings from JSON.

    Raises:
        InvalidSettings: a field is not in the list, or a value out of its bounds.
    """
    try:
        return msgspec.json.decode(text, type=DesiredSettings)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InvalidSettings(f"desired settings: {error}") from error


def overlaid(settings: Values, desired: DesiredSettings) -> dict[str, Any]:
    """Return settings, as in the settings file, with the desired ones in place of theirs.

    Raises:
        InvalidSettings: the station has no sensor of a name.
    """
    wanted = msgspec.to_builtins(desired)
    sensors: Values = wanted.pop("sensors", {})
    names = [sensor["name"] for sensor in settings["sensors"]]
    if unknown := sensors.keys() - set(names):
        raise InvalidSettings(f"sensors {sorted(unknown)}: expected some of {names}")
    merged = _merged(settings, wanted)
    merged["sensors"] = [_merged(sensor, sensors.get(sensor["name"], {})) for sensor in settings["sensors"]]
    return merged


def changeable(settings: Values) -> dict[str, Any]:
    """Return the part of settings, as in the settings file, that the server may change, with sensors by name.

    A threshold that is left to the network is not part of it.
    """
    found = _part(settings, DesiredSettings)
    found["sensors"] = {sensor["name"]: _part(sensor, DesiredSensor) for sensor in settings["sensors"]}
    for sensor in found["sensors"].values():
        device = sensor.get("camera", {}).get("device", "")
        if device and not device.isdigit():  # the address of a network camera may contain a password
            del sensor["camera"]["device"]
    return found


def flattened(values: Values, prefix: str = "") -> dict[str, Any]:
    """Return nested settings as one mapping with dots in its keys."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        name = f"{prefix}{key}"
        flat |= flattened(value, f"{name}.") if isinstance(value, Mapping) else {name: value}
    return flat


def nested(flat: Values) -> dict[str, Any]:
    """Return settings with dots in their keys as nested ones; the opposite of ``flattened``."""
    values: dict[str, Any] = {}
    for key, value in flat.items():
        *tables, last = key.split(".")
        inner = values
        for table in tables:
            inner = inner.setdefault(table, {})
            if not isinstance(inner, dict):
                raise InvalidSettings(f"{key}: {table} is no table")
        inner[last] = value
    return values


def _merged(values: Values, wanted: Values) -> dict[str, Any]:
    merged = dict(values)
    for key, value in wanted.items():
        merged[key] = _merged(merged.get(key, {}), value) if isinstance(value, dict) else value
    return merged


def _part(values: Values, kind: type[_Struct]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for one in msgspec.structs.fields(kind):
        if one.name == "sensors" or values.get(one.name) is None:  # none: a default that is not a number
            continue
        table = next((arg for arg in getattr(one.type, "__args__", ()) if isinstance(arg, type)), None)
        inner = table if table is not None and issubclass(table, Struct) else None
        found[one.name] = _part(values[one.name], inner) if inner else values[one.name]
    return found
