"""Versions of Camtrap DP whose tables can be read."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

_URL = re.compile(r"https?://[\w./-]*camtrap-dp/(\d+\.\d+(?:\.\d+)?)/camtrap-dp-profile\.json")


@dataclass(frozen=True, slots=True)
class Layout:
    """Layout of the tables of a version.

    Attributes:
        version: "1.0" or "0.1.6".
        required: Columns that each table must have.
    """

    version: str
    required: Mapping[str, tuple[str, ...]]


# Required columns by the table schemas of the versions (https://github.com/tdwg/camtrap-dp).
_LAYOUTS = {
    "1.0": Layout(
        "1.0",
        {
            "deployments": ("deploymentID", "latitude", "longitude", "deploymentStart", "deploymentEnd"),
            "media": ("mediaID", "deploymentID", "timestamp", "filePath", "filePublic", "fileMediatype"),
            "observations": (
                "observationID",
                "deploymentID",
                "eventStart",
                "eventEnd",
                "observationLevel",
                "observationType",
            ),
        },
    ),
    "0.1.6": Layout(
        "0.1.6",
        {
            "deployments": ("deploymentID", "longitude", "latitude", "start", "end"),
            "media": ("mediaID", "deploymentID", "sequenceID", "timestamp", "filePath", "fileMediatype"),
            "observations": ("observationID", "deploymentID", "sequenceID", "timestamp", "observationType"),
        },
    ),
}


def layout_of(profile: object) -> Layout | None:
    """Return the layout that a profile names, a URL of the standard's repository; None for any other profile."""
    found = _URL.fullmatch(profile) if isinstance(profile, str) else None
    if found is None:
        return None
    return _LAYOUTS.get(found[1]) or (_LAYOUTS["1.0"] if re.fullmatch(r"1\.0(\.\d+)?", found[1]) else None)
