"""Columns and cell formats of the tables of Camtrap DP 1.0.2 (https://camtrap-dp.tdwg.org/data/)."""

from datetime import datetime

from contract import Box

VERSION = "1.0.2"
SCHEMAS = f"https://raw.githubusercontent.com/tdwg/camtrap-dp/{VERSION}"

DEPLOYMENTS = (
    "deploymentID",
    "locationID",
    "locationName",
    "latitude",
    "longitude",
    "coordinateUncertainty",
    "deploymentStart",
    "deploymentEnd",
    "setupBy",
    "cameraID",
    "cameraModel",
    "cameraDelay",
    "cameraHeight",
    "cameraDepth",
    "cameraTilt",
    "cameraHeading",
    "detectionDistance",
    "timestampIssues",
    "baitUse",
    "featureType",
    "habitat",
    "deploymentGroups",
    "deploymentTags",
    "deploymentComments",
)
MEDIA = (
    "mediaID",
    "deploymentID",
    "captureMethod",
    "timestamp",
    "filePath",
    "filePublic",
    "fileName",
    "fileMediatype",
    "exifData",
    "favorite",
    "mediaComments",
)
OBSERVATIONS = (
    "observationID",
    "deploymentID",
    "mediaID",
    "eventID",
    "eventStart",
    "eventEnd",
    "observationLevel",
    "observationType",
    "cameraSetupType",
    "scientificName",
    "count",
    "lifeStage",
    "sex",
    "behavior",
    "individualID",
    "individualPositionRadius",
    "individualPositionAngle",
    "individualSpeed",
    "bboxX",
    "bboxY",
    "bboxWidth",
    "bboxHeight",
    "classificationMethod",
    "classifiedBy",
    "classificationTimestamp",
    "classificationProbability",
    "observationTags",
    "observationComments",
)


def time_cell(moment: datetime) -> str:
    """Format a time with its offset, to the second, as Camtrap DP demands."""
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def box_cells(box: Box | None) -> dict[str, float]:
    """Return the cells of a box; none if there is no box."""
    return {} if box is None else {"bboxX": box.x, "bboxY": box.y, "bboxWidth": box.width, "bboxHeight": box.height}


def truth_cell(value: bool | None) -> str:
    """Format a truth value; empty if unknown."""
    return "" if value is None else str(value).lower()
