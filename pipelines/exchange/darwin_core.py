"""Converts a Camtrap DP package into a Darwin Core archive: occurrences of animals with their media.

Follows the mapping of ``write_dwc`` in the R package camtrapdp 0.5 (https://inbo.github.io/camtrapdp/), which GBIF
recommends for Camtrap DP. Source of the terms: https://dwc.tdwg.org/terms/ and https://ac.tdwg.org/termlist/.
"""

import csv
import zipfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

from contract.errors import InvalidInput
from pipelines.camtrap_dp.reading import Package, Row
from pipelines.camtrap_dp.tables import time_cell
from pipelines.exchange.darwin_core_terms import FEATURES, MULTIMEDIA, OCCURRENCE, archive_description


@dataclass(frozen=True, slots=True)
class ArchiveReport:
    """Number of rows that an archive has."""

    occurrences: int
    media: int


def write_archive(package: Package, path: Path) -> ArchiveReport:
    """Write a Darwin Core archive: a zip file with occurrence.csv, multimedia.csv and meta.xml.

    Observations of people and vehicles, blanks and unclassified ones are left out.

    Raises:
        UnreadablePackage: a table cannot be read.
        InvalidInput: a time is not ISO 8601, or an observation names a deployment that is not in the package.
        FileExistsError: the file exists.
    """
    tables = _Tables(package)
    occurrences = list(tables.occurrences())
    media = list(tables.multimedia())
    with zipfile.ZipFile(path, "x", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("occurrence.csv", _csv(OCCURRENCE, occurrences))
        archive.writestr("multimedia.csv", _csv(MULTIMEDIA, media))
        archive.writestr("meta.xml", archive_description())
    return ArchiveReport(len(occurrences), len(media))


class _Tables:
    def __init__(self, package: Package) -> None:
        self._descriptor = package.descriptor
        self._deployments = {row["deploymentID"]: row for row in package.rows("deployments")}
        self._observations = list(package.rows("observations"))
        self._media = list(package.rows("media"))
        level = self._mapping("gbifIngestion").get("observationLevel", "event")
        self._animals = [
            row for row in self._observations if row["observationLevel"] == level and row["observationType"] == "animal"
        ]
        self._taxa = {
            str(taxon.get("scientificName")): taxon
            for taxon in self._descriptor.get("taxonomic") or ()
            if isinstance(taxon, dict)
        }

    def occurrences(self) -> Iterator[Mapping[str, str]]:
        """Yield the rows of occurrence.csv, in the order of deployments and times."""
        constant = self._project_terms()
        for row in sorted(self._animals, key=lambda row: (row["deploymentID"], _utc(row["eventStart"]))):
            deployment = self._deployment(row)
            taxon = self._taxa.get(row.get("scientificName", ""), {})
            yield (
                constant
                | _place_terms(deployment)
                | {
                    "occurrenceID": row["observationID"],
                    "individualCount": row.get("count", ""),
                    "sex": row.get("sex", ""),
                    "lifeStage": row.get("lifeStage", ""),
                    "behavior": row.get("behavior", ""),
                    "occurrenceStatus": "present",
                    "occurrenceRemarks": row.get("observationComments", ""),
                    "organismID": row.get("individualID", ""),
                    "eventID": row.get("eventID", ""),
                    "parentEventID": row["deploymentID"],
                    "eventDate": _period(row["eventStart"], row["eventEnd"]),
                    "eventRemarks": _event_remarks(deployment, row),
                    "identifiedBy": row.get("classifiedBy", ""),
                    "dateIdentified": _time_text(row.get("classificationTimestamp", "")),
                    "identificationRemarks": _identification_remarks(row),
                    "taxonID": str(taxon.get("taxonID", "")),
                    "scientificName": row.get("scientificName", ""),
                    "kingdom": "Animalia",
                }
            )

    def multimedia(self) -> Iterator[Mapping[str, str]]:
        """Yield the rows of multimedia.csv: of each occurrence its file, or all files of its event."""
        rights = self._licence("media")
        by_id = {row["mediaID"]: row for row in self._media}
        by_event = self._media_by_event(by_id)
        pairs = []
        for row in self._animals:
            of_file = by_id.get(row.get("mediaID", ""))
            files = [of_file] if of_file else by_event.get((row["deploymentID"], row.get("eventID", "")), [])
            pairs += [(row, medium) for medium in files]
        for row, medium in sorted(pairs, key=_order_of_media):
            yield _multimedia_row(row, medium, self._deployment(row), rights)

    def _media_by_event(self, by_id: Mapping[str, Row]) -> dict[tuple[str, str], list[Row]]:
        """Return the files of each event: those that observations of it name, else those within its time."""
        named: dict[tuple[str, str], dict[str, Row]] = defaultdict(dict)
        for row in self._observations:
            if row.get("mediaID") and row["mediaID"] in by_id and row.get("eventID"):
                named[row["deploymentID"], row["eventID"]][row["mediaID"]] = by_id[row["mediaID"]]
        of_deployment: dict[str, list[Row]] = defaultdict(list)
        for medium in self._media:
            of_deployment[medium["deploymentID"]].append(medium)
        for row in self._observations:
            key = row["deploymentID"], row.get("eventID", "")
            if row["observationLevel"] == "event" and key not in named:
                start, end = _utc(row["eventStart"]), _utc(row["eventEnd"])
                within = (one for one in of_deployment[row["deploymentID"]] if start <= _utc(one["timestamp"]) <= end)
                named[key] = {medium["mediaID"]: medium for medium in within}
        return {
            key: sorted(files.values(), key=lambda one: (_utc(one["timestamp"]), one.get("fileName", "")))
            for key, files in named.items()
        }

    def _deployment(self, observation: Row) -> Row:
        found = self._deployments.get(observation["deploymentID"])
        if found is None:
            raise InvalidInput(
                f"observation {observation['observationID']}: deployment {observation['deploymentID']!r}: expected one "
                "of the package's deployments"
            )
        return found

    def _project_terms(self) -> dict[str, str]:
        descriptor, precision = self._descriptor, self._descriptor.get("coordinatePrecision")
        sources = [one for one in descriptor.get("sources") or () if isinstance(one, dict)]
        sound = bool(self._media) and all(row["fileMediatype"].startswith("audio/") for row in self._media)
        return {
            "type": "Sound" if sound else "Image",
            "license": self._licence("data"),
            "rightsHolder": self._rights_holder(),
            "datasetID": str(descriptor.get("id") or ""),
            "collectionCode": str(sources[0].get("title", "")) if sources else "",
            "datasetName": str(descriptor.get("title") or ""),
            "basisOfRecord": "MachineObservation",
            "dataGeneralizations": f"coordinates rounded to {precision} degree" if precision else "",
            "samplingProtocol": "acoustic recorder" if sound else "camera trap",
            "coordinatePrecision": str(precision or ""),
            "geodeticDatum": "EPSG:4326",
        }

    def _licence(self, scope: str) -> str:
        for one in self._descriptor.get("licenses") or ():
            if isinstance(one, dict) and one.get("scope") == scope:
                return str(one.get("name") or "")
        return ""

    def _rights_holder(self) -> str:
        for one in self._descriptor.get("contributors") or ():
            if isinstance(one, dict) and one.get("role") == "rightsHolder":
                return str(one.get("title") or "")
        return ""

    def _mapping(self, name: str) -> Mapping[str, Any]:
        found = self._descriptor.get(name)
        return found if isinstance(found, dict) else {}


def _order_of_media(pair: tuple[Row, Row]) -> tuple[object, ...]:
    row, medium = pair
    return row["deploymentID"], _utc(medium["timestamp"]), medium.get("fileName", "")


def _place_terms(deployment: Row) -> dict[str, str]:
    height, depth = _number(deployment.get("cameraHeight", "")), _number(deployment.get("cameraDepth", ""))
    return {
        "habitat": deployment.get("habitat", ""),
        "samplingEffort": _period(deployment["deploymentStart"], deployment["deploymentEnd"], always_both=True),
        "locationID": deployment.get("locationID", ""),
        "locality": deployment.get("locationName", ""),
        "minimumDepthInMeters": depth,
        "maximumDepthInMeters": depth,
        "minimumDistanceAboveSurfaceInMeters": height,
        "maximumDistanceAboveSurfaceInMeters": height,
        "decimalLatitude": _number(deployment["latitude"]),
        "decimalLongitude": _number(deployment["longitude"]),
        "coordinateUncertaintyInMeters": deployment.get("coordinateUncertainty", ""),
    }


def _event_remarks(deployment: Row, observation: Row) -> str:
    bait = {"true": " with bait", "false": " without bait"}.get(deployment.get("baitUse", "").lower(), "")
    feature = deployment.get("featureType", "")
    near = f" near {FEATURES.get(feature, feature)}" if feature else ""
    tags = observation.get("observationTags", "")
    comments = deployment.get("deploymentComments", "")
    return " | ".join(filter(None, (f"camera trap{bait}{near}", f"tags: {tags}" if tags else "", comments)))


def _identification_remarks(observation: Row) -> str:
    method, probability = observation.get("classificationMethod"), observation.get("classificationProbability", "")
    if not method:
        return ""
    sure = f" with {100 * float(probability):.0f}% certainty" if probability else ""
    return f"classified by a {method}{sure}"


def _multimedia_row(observation: Row, medium: Row, deployment: Row, rights: str) -> dict[str, str]:
    kind = medium["fileMediatype"].partition("/")[0]
    favourite = "marked as favorite" if medium.get("favorite", "").lower() == "true" else ""
    words = {"activityDetection": "activity detection", "timeLapse": "time lapse"}
    method = medium.get("captureMethod", "")
    return {
        "occurrenceID": observation["observationID"],
        "identifier": medium["mediaID"],
        "dc:type": {"image": "StillImage", "video": "MovingImage", "audio": "Sound"}.get(kind, ""),
        "comments": " | ".join(filter(None, (favourite, medium.get("mediaComments", "")))),
        "dcterms:rights": rights,
        "CreateDate": _time_text(medium["timestamp"]),
        "captureDevice": deployment.get("cameraModel", ""),
        "resourceCreationTechnique": words.get(method, method),
        "accessURI": medium["filePath"],
        "dc:format": medium["fileMediatype"],
        "serviceExpectation": "online" if medium["filePath"].startswith(("http://", "https://")) else "local",
    }


def _utc(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInput(f"{text!r}: expected a time with its offset such as 2026-05-31T12:00:00+08:00") from None
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


def _time_text(text: str) -> str:
    return time_cell(_utc(text)) if text else ""


def _period(start: str, end: str, always_both: bool = False) -> str:
    """Return an ISO 8601 interval, or one time if both are the same."""
    first, last = _time_text(start), _time_text(end)
    return first if first == last and not always_both else f"{first}/{last}"


def _number(text: str) -> str:
    """Return a number without needless zeros, as R writes it."""
    try:
        return f"{float(text):.10g}" if text else ""
    except ValueError:
        raise InvalidInput(f"{text!r}: expected a number") from None


def _csv(columns: Iterable[str], rows: Iterable[Mapping[str, str]]) -> str:
    text = StringIO()
    writer = csv.DictWriter(text, list(columns), restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
