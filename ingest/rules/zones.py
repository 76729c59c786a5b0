"""Zones with restrictions or protection, read from a GeoJSON file."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from shapely import Point, is_valid_reason
from shapely.errors import ShapelyError
from shapely.geometry import shape
from shapely.prepared import prep

from contract import Location
from contract.errors import InvalidInput


class ZonesError(InvalidInput):
    """A zones file is invalid; the message contains the file, the zone and what was expected."""


@dataclass(frozen=True, slots=True)
class Zone:
    """One zone.

    Attributes:
        id: Id used in rules.
        name_zh: Name on Chinese pages.
        name_en: Name on English pages.
        area: Prepared polygon, longitude first, WGS 84.
    """

    id: str
    name_zh: str
    name_en: str
    area: Any

    def contains(self, place: Location) -> bool:
        """Return whether a place is in the zone or on its border."""
        return bool(self.area.covers(Point(place.longitude, place.latitude)))


class _Properties(msgspec.Struct):
    id: str
    name_zh: str = ""
    name_en: str = ""


class _Feature(msgspec.Struct):
    properties: _Properties
    geometry: dict[str, Any]


class _Collection(msgspec.Struct):
    features: list[_Feature]


def read_zones(path: Path) -> Sequence[Zone]:
    """Read a GeoJSON FeatureCollection (RFC 7946) of polygons with properties ``id``, ``name_zh``, ``name_en``.

    Raises:
        ZonesError: the file is missing, is not GeoJSON, or a zone is not a valid polygon or shares its id.
    """
    try:
        features = msgspec.json.decode(path.read_bytes(), type=_Collection).features
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ZonesError(f"{path}: {error}") from error
    zones: dict[str, Zone] = {}
    for feature in features:
        zone = feature.properties
        try:
            area = shape(feature.geometry)
        except (ShapelyError, ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
            raise ZonesError(f"{path}: zone {zone.id!r}: {error}") from error
        if area.geom_type not in {"Polygon", "MultiPolygon"} or area.is_empty or not area.is_valid:
            raise ZonesError(
                f"{path}: zone {zone.id!r} is a {area.geom_type} ({is_valid_reason(area)}): expected a valid polygon"
            )
        if zone.id in zones:
            raise ZonesError(f"{path}: two zones have the id {zone.id!r}")
        zones[zone.id] = Zone(zone.id, zone.name_zh or zone.id, zone.name_en or zone.id, prep(area))
    return tuple(zones.values())
