"""Writes detections as a table of observations with the columns of Camtrap DP 1.0."""

import csv
from collections.abc import Iterator
from datetime import datetime
from typing import TextIO

from captures.folder_listing import printable_name
from contract import Detection
from pipelines.camtrap_dp.tables import OBSERVATIONS, box_cells, time_cell
from pipelines.detect.examination import Examined, time_in_file

# Optional columns that a machine cannot fill.
_OF_PEOPLE = {
    "eventID",
    "cameraSetupType",
    "count",
    "lifeStage",
    "sex",
    "behavior",
    "individualID",
    "individualPositionRadius",
    "individualPositionAngle",
    "individualSpeed",
}
COLUMNS = tuple(column for column in OBSERVATIONS if column not in _OF_PEOPLE)


class ObservationsFile:
    """Writes a Camtrap DP table of observations as CSV, row by row."""

    def __init__(self, file: TextIO, deployment: str, now: datetime) -> None:
        """Create the CSV writer; the first call of ``write`` also writes the header row.

        Args:
            file: The file to write to.
            deployment: ``deploymentID``; empty: the name of each file's folder.
            now: ``classificationTimestamp``.
        """
        self._writer = csv.DictWriter(file, COLUMNS)
        self._headed = False
        self._deployment = deployment
        self._now = now
        self.rows = 0

    def write(self, examined: Examined) -> None:
        """Write the detections in one picture or recording, one row per detection.

        A completely read file without detections gets one ``blank`` row.
        """
        if not self._headed:
            self._writer.writeheader()
            self._headed = True
        for row in self._rows(examined):
            self._writer.writerow(row)
            self.rows += 1

    def _rows(self, examined: Examined) -> Iterator[dict[str, object]]:
        if examined.model is None or examined.began is None:
            return
        path = printable_name(examined.path)
        common: dict[str, object] = {
            "deploymentID": self._deployment or printable_name(examined.path.absolute().parent.name),
            "mediaID": path,
            "observationLevel": "media",
            "classificationMethod": "machine",
            "classifiedBy": f"{examined.model.name} {examined.model.version}",
            "classificationTimestamp": _text(self._now),
            "observationTags": f"timestampSource:{examined.time_source}",
        }
        for number, detection in enumerate(examined.found):
            yield common | {"observationID": f"{path}#{number}"} | _row(examined, detection)
        if not examined.found and not examined.problem:
            yield common | {
                "observationID": f"{path}#0",
                "eventStart": _text(examined.began),
                "eventEnd": _text(time_in_file(examined, examined.duration_s)),
                "observationType": "blank",
            }


def _row(examined: Examined, detection: Detection) -> dict[str, object]:
    start_s, end_s = 0.0, examined.duration_s
    if detection.span is not None:
        start_s, end_s = detection.span.start_s, detection.span.end_s
    row: dict[str, object] = {
        "eventStart": _text(time_in_file(examined, start_s)),
        "eventEnd": _text(time_in_file(examined, end_s)),
        "observationType": detection.observation_type,
        "scientificName": detection.scientific_name or "",
        "classificationProbability": detection.confidence,
        "observationComments": detection.label,
    }
    return row | box_cells(detection.box)


def _text(moment: datetime | None) -> str:
    """Format a time; empty if unknown."""
    return "" if moment is None else time_cell(moment)
