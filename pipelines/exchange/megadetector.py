"""Converts a Camtrap DP package into MegaDetector's output format 1.6, which Timelapse and AddaxAI read.

Source: https://lila.science/megadetector-output-format
"""

import json
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from contract.errors import InvalidInput
from pipelines.camtrap_dp.reading import Package, Row

FORMAT_VERSION = "1.6"
_CATEGORIES = {"animal": "1", "human": "2", "vehicle": "3"}
_CATEGORY_NAMES = {"1": "animal", "2": "person", "3": "vehicle"}
_WHOLE_PICTURE = [0.0, 0.0, 1.0, 1.0]
_SURE = 1.0  # confidence of what a person said; the format has no other place for it


@dataclass(slots=True)
class ResultsReport:
    """What a file of results has, and what was left out.

    Attributes:
        pictures: Pictures with their detections, or with none.
        detections: Detections in them.
        left_out: Media that the format cannot hold, by media type: sounds, and films without their frames.
    """

    pictures: int = 0
    detections: int = 0
    left_out: dict[str, int] = field(default_factory=lambda: defaultdict(int))


def write_results(package: Package, path: Path) -> ResultsReport:
    """Write the pictures that observations name, with their boxes and species.

    What a person said has the confidence 1; an observation without a box covers the whole picture.

    Raises:
        UnreadablePackage: a table cannot be read.
        InvalidInput: a box or a probability is not a number.
        FileExistsError: the file exists.
    """
    observations: dict[str, list[Row]] = defaultdict(list)
    for row in package.rows("observations"):
        if row["observationLevel"] == "media" and row.get("mediaID"):
            observations[row["mediaID"]].append(row)
    report, images = ResultsReport(), []
    species: dict[str, str] = {}
    for medium in package.rows("media"):
        found = observations.get(medium["mediaID"])
        if found is None:
            continue
        if not medium["fileMediatype"].startswith("image/"):
            report.left_out[medium["fileMediatype"]] += 1
            continue
        detections = [_detection(row, species) for row in found if row["observationType"] in _CATEGORIES]
        images.append({"file": medium["filePath"], "detections": detections})
        report.pictures += 1
        report.detections += len(detections)
    results: dict[str, Any] = {
        "info": {"format_version": FORMAT_VERSION, "detector": _names_of_detectors(observations)},
        "detection_categories": _CATEGORY_NAMES,
        "classification_categories": {number: name for name, number in species.items()},
        "images": images,
    }
    with path.open("x", encoding="utf-8") as file:
        json.dump(results, file, ensure_ascii=False, indent=1)
    return report


def _detection(row: Row, species: dict[str, str]) -> dict[str, Any]:
    """Return one detection; a species that is not in ``species`` yet gets the next number there."""
    probability = row.get("classificationProbability", "")
    machine = row.get("classificationMethod") == "machine" and probability
    confidence = _number(row, "classificationProbability") if machine else _SURE
    box = (
        [_number(row, f"bbox{part}") for part in ("X", "Y", "Width", "Height")] if row.get("bboxX") else _WHOLE_PICTURE
    )
    found: dict[str, Any] = {"category": _CATEGORIES[row["observationType"]], "conf": confidence, "bbox": box}
    name = row.get("scientificName", "")
    if name and row["observationType"] == "animal":
        found["classifications"] = [[species.setdefault(name, str(len(species))), confidence]]
    return found


def _names_of_detectors(observations: dict[str, list[Row]]) -> str:
    found = {
        row.get("classifiedBy", "")
        for rows in observations.values()
        for row in rows
        if row.get("classificationMethod") == "machine"
    }
    return ", ".join(sorted(filter(None, found))) or "unknown"


def _number(row: Row, column: str) -> float:
    try:
        return float(row[column])
    except ValueError:
        raise InvalidInput(
            f"observation {row['observationID']}: {column} is {row[column]!r}: expected a number"
        ) from None
