"""The descriptor of a Camtrap DP package: datapackage.json."""

import json
import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from i18n.taxonomy import Taxonomy
from pipelines.camtrap_dp.tables import SCHEMAS, VERSION

SAMPLING_DESIGNS = (
    "simpleRandom",
    "systematicRandom",
    "clusteredRandom",
    "experimental",
    "targeted",
    "opportunistic",
)

_RANKS = ("kingdom", "class", "order", "family", "genus", "species", "subspecies")  # those that the profile allows


@dataclass(frozen=True, slots=True)
class PackageInfo:
    """What a package says about the project.

    Attributes:
        title: Title of the project.
        contact: Name of the organisation or person that answers questions.
        sampling_design: One of ``SAMPLING_DESIGNS``.
        software_version: Version of Wildpost.
        licence: SPDX name of the licence of data and media; "": none is given.
    """

    title: str
    contact: str
    sampling_design: str = "opportunistic"
    software_version: str = ""
    licence: str = ""


def write_descriptor(
    folder: Path,
    info: PackageInfo,
    places: Sequence[tuple[float, float]],
    period: tuple[datetime, datetime],
    taxa: Sequence[str],
    taxonomy: Taxonomy,
) -> None:
    """Write datapackage.json.

    Args:
        folder: Folder of the package.
        info: What the package says about the project.
        places: Longitude and latitude of each deployment, as in its table.
        period: First and last time of a capture.
        taxa: Scientific names in the observations.
        taxonomy: Their ranks and common names.
    """
    created = datetime.now(UTC)
    name = re.sub(r"[^a-z0-9]+", "-", info.title.lower()).strip("-") or "wildpost"
    descriptor = {
        "resources": [
            {
                "name": table,
                "path": f"{table}.csv",
                "profile": "tabular-data-resource",
                "format": "csv",
                "mediatype": "text/csv",
                "encoding": "utf-8",
                "schema": f"{SCHEMAS}/{table}-table-schema.json",
            }
            for table in ("deployments", "media", "observations")
        ],
        "profile": f"{SCHEMAS}/camtrap-dp-profile.json",
        "name": name,
        "id": str(uuid.uuid4()),
        "created": created.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "title": info.title,
        "contributors": [{"title": info.contact, "role": "contact"}],
        "version": created.strftime("%Y.%m.%d"),
        "sources": [{"title": "Wildpost", "version": info.software_version}],
        **(
            {"licenses": [{"name": info.licence, "scope": scope} for scope in ("data", "media")]}
            if info.licence
            else {}
        ),
        "project": {
            "title": info.title,
            "samplingDesign": info.sampling_design,
            "captureMethod": ["activityDetection"],
            "individualAnimals": False,
            "observationLevel": ["media", "event"],
        },
        "spatial": _polygon(places),
        "temporal": {"start": period[0].date().isoformat(), "end": period[1].date().isoformat()},
        "taxonomic": [_taxon(name, taxonomy) for name in taxa],
        "keywords": ["camera traps", f"Camtrap DP {VERSION}"],
    }
    (folder / "datapackage.json").write_text(json.dumps(descriptor, ensure_ascii=False, indent=2) + "\n", "utf-8")


def _polygon(places: Sequence[tuple[float, float]]) -> dict[str, object]:
    west, east = min(x for x, _ in places), max(x for x, _ in places)
    south, north = min(y for _, y in places), max(y for _, y in places)
    corners = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {"type": "Polygon", "coordinates": [corners]}


def _taxon(name: str, taxonomy: Taxonomy) -> dict[str, object]:
    taxon = taxonomy.find(name)
    found: dict[str, object] = {"scientificName": name}
    if taxon is None or taxon.scientific_name is None:
        return found
    names = {"zho": taxon.name("zh_CN"), "eng": taxon.name("en")}
    if taxon.rank in _RANKS:
        found["taxonRank"] = taxon.rank
    if common := {language: text for language, text in names.items() if text}:
        found["vernacularNames"] = common
    return found
