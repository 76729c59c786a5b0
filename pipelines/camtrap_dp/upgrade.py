"""Rows of Camtrap DP 0.1.6 in the layout of 1.0.2.

Source: the changelog of Camtrap DP (https://camtrap-dp.tdwg.org) and the two table schemas; differences that lose
nothing: renamed columns, ``sequenceID`` as ``eventID``, and a sequence's observation as one of the level "event".
"""

from collections.abc import Mapping
from datetime import UTC, datetime

_RENAMED = {
    "deployments": {
        "start": "deploymentStart",
        "end": "deploymentEnd",
        "cameraInterval": "cameraDelay",
        "session": "deploymentGroups",
        "tags": "deploymentTags",
        "comments": "deploymentComments",
    },
    "media": {"favourite": "favorite", "comments": "mediaComments"},
    "observations": {
        "sequenceID": "eventID",
        "behaviour": "behavior",
        "classificationConfidence": "classificationProbability",
        "comments": "observationComments",
    },
}
_VALUES = {
    "captureMethod": {"motion detection": "activityDetection", "time lapse": "timeLapse"},
    "lifeStage": {"unknown": ""},
    "sex": {"unknown": ""},
}
_FEATURES = {
    "road paved": "roadPaved",
    "road dirt": "roadDirt",
    "trail hiking": "trailHiking",
    "trail game": "trailGame",
    "road underpass": "roadUnderpass",
    "road overpass": "roadOverpass",
    "road bridge": "roadBridge",
    "nest site": "nestSite",
    "water source": "waterSource",
    "fruiting tree": "fruitingTree",
}
_TRUE_TEXTS = {"TRUE": "true", "FALSE": "false"}


def upgraded_row(table: str, row: dict[str, str], ends: Mapping[str, str]) -> dict[str, str]:
    """Return a row of a 0.1.6 table with the columns of 1.0.2; further columns are kept as they are.

    Args:
        table: Name of the table.
        row: The row.
        ends: Time of the last file of each sequence, which 1.0 has as ``eventEnd`` and 0.1.6 only in its media.
    """
    renamed = {_RENAMED[table].get(name, name): value for name, value in row.items()}
    for name, values in _VALUES.items():
        if name in renamed:
            renamed[name] = values.get(renamed[name], renamed[name])
    renamed = {name: _TRUE_TEXTS.get(value, value) for name, value in renamed.items()}
    if table == "deployments":
        renamed["featureType"] = _FEATURES.get(renamed.get("featureType", ""), renamed.get("featureType", ""))
        # 0.1.6 names the kind of bait ("none" for no bait), 1.0 says only whether there was any.
        bait = renamed.get("baitUse", "")
        renamed["baitUse"] = {"": "", "none": "false"}.get(bait, "true")
        groups = (renamed.get("deploymentGroups", ""), row.get("array", ""))
        renamed["deploymentGroups"] = " | ".join(filter(None, groups))
    elif table == "media":
        renamed["filePublic"] = "true" if renamed["filePath"].startswith("http") else "false"
    else:
        of_file = bool(renamed.get("mediaID"))
        renamed["observationLevel"] = "media" if of_file else "event"
        renamed["eventStart"] = renamed["eventEnd"] = renamed.pop("timestamp")
        if not of_file:
            renamed["eventEnd"] = max(renamed["eventStart"], ends.get(renamed["eventID"], ""), key=_instant)
        setup = renamed.pop("cameraSetup", "")
        renamed["cameraSetupType"] = "setup" if setup == "true" else ""
        new = renamed.get("countNew", "")
        if new:
            comment = f"countNew:{new}"
            renamed["observationTags"] = " | ".join(filter(None, (renamed.get("observationTags", ""), comment)))
    return renamed


def _instant(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
    return found if found.tzinfo else found.replace(tzinfo=UTC)
