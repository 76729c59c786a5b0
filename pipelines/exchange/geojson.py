"""Converts a Camtrap DP package into GeoJSON, for map programs."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from contract.errors import InvalidInput
from pipelines.camtrap_dp.reading import Package, Row

_COPIED = (
    "observationID",
    "eventStart",
    "eventEnd",
    "scientificName",
    "lifeStage",
    "sex",
    "behavior",
    "classificationMethod",
    "classifiedBy",
)


def write_geojson(package: Package, path: Path) -> int:
    """Write the animals of a package as points of a FeatureCollection (RFC 7946); return their number.

    A point is the position of the deployment, as exact as the package has it; ``coordinateUncertainty`` in metres says
    how far off it may be. Observations of level "event" are written; if there are none, those of level "media".

    Raises:
        UnreadablePackage: a table cannot be read.
        InvalidInput: a position or a number is none.
        FileExistsError: the file exists.
    """
    deployments = {row["deploymentID"]: row for row in package.rows("deployments")}
    written = 0
    with path.open("x", encoding="utf-8") as file:
        file.write('{"type": "FeatureCollection", "features": [')
        for feature in _features(package, deployments):
            file.write(",\n" if written else "\n")
            file.write(json.dumps(feature, ensure_ascii=False, allow_nan=False))
            written += 1
        file.write("\n]}\n")
    return written


def _features(package: Package, deployments: dict[str, Row]) -> Iterator[dict[str, Any]]:
    levels = {row["observationLevel"] for row in _animals(package)}
    level = "event" if "event" in levels else "media"
    for row in _animals(package):
        deployment = deployments.get(row["deploymentID"])
        if row["observationLevel"] != level or deployment is None:
            continue
        where = f"deployment {row['deploymentID']}"
        longitude, latitude = (_number(deployment.get(name), name, where) for name in ("longitude", "latitude"))
        if longitude is None or latitude is None or abs(longitude) > 180 or abs(latitude) > 90:
            raise InvalidInput(f"{where}: position {longitude}, {latitude}: expected degrees, longitude and latitude")
        what = f"observation {row['observationID']}"
        properties: dict[str, Any] = {name: row.get(name) or None for name in _COPIED}
        properties["count"] = _number(row.get("count"), "count", what)
        properties["classificationProbability"] = _number(
            row.get("classificationProbability"), "classificationProbability", what
        )
        properties |= {name: deployment.get(name) or None for name in ("deploymentID", "locationName")}
        properties["coordinateUncertainty"] = _number(
            deployment.get("coordinateUncertainty"), "coordinateUncertainty", where
        )
        yield {
            "type": "Feature",
            "id": row["observationID"],
            "geometry": {"type": "Point", "coordinates": [longitude, latitude]},
            "properties": properties,
        }


def _animals(package: Package) -> Iterator[Row]:
    return (row for row in package.rows("observations") if row["observationType"] == "animal")


def _number(text: str | None, name: str, where: str) -> float | None:
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not abs(value) < float("inf"):
        raise InvalidInput(f"{where}: {name} is {text!r}: expected a number")
    return int(value) if value == int(value) and name == "count" else value
