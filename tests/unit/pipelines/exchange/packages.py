"""Small Camtrap DP packages for tests."""

import json
from pathlib import Path
from typing import Any

PROFILE = "https://raw.githubusercontent.com/tdwg/camtrap-dp/1.0.2/camtrap-dp-profile.json"
DEPLOYMENTS = (
    "deploymentID,locationID,latitude,longitude,deploymentStart,deploymentEnd\n"
    "d1,oak,31.3,117.2,2026-05-01T00:00:00+08:00,2026-06-01T00:00:00+08:00\n"
)
MEDIA = (
    "mediaID,deploymentID,timestamp,filePath,filePublic,fileName,fileMediatype\n"
    "m1,d1,2026-05-02T06:00:00+08:00,day/1.jpg,false,1.jpg,image/jpeg\n"
    "m2,d1,2026-05-02T06:10:00+08:00,day/2.jpg,false,2.jpg,image/jpeg\n"
    "m3,d1,2026-05-02T07:00:00+08:00,day/3.wav,false,3.wav,audio/wav\n"
)
_SIX = "2026-05-02T06:00:00+08:00,2026-05-02T06:00:00+08:00"
OBSERVATIONS = (
    "observationID,deploymentID,mediaID,eventID,eventStart,eventEnd,observationLevel,observationType,scientificName,"
    "count,bboxX,bboxY,bboxWidth,bboxHeight,classificationMethod,classificationProbability\n"
    f"o1,d1,m1,e1,{_SIX},media,animal,Sus scrofa,1,0.1,0.2,0.3,0.4,machine,0.75\n"
    f"o2,d1,m1,e1,{_SIX},media,animal,Sus scrofa,1,0.5,0.2,0.3,0.4,human,\n"
    "o3,d1,m2,e2,2026-05-02T06:10:00+08:00,2026-05-02T06:10:00+08:00,media,blank,,,,,,,human,\n"
    "o4,d1,m3,e3,2026-05-02T07:00:00+08:00,2026-05-02T07:00:09+08:00,media,animal,=1+1,1,,,,,machine,0.9\n"
)


def write_package(
    folder: Path,
    deployments: str = DEPLOYMENTS,
    media: str = MEDIA,
    observations: str = OBSERVATIONS,
    **descriptor: Any,
) -> Path:
    """Write a package with these tables, and with other values in its descriptor."""
    folder.mkdir(exist_ok=True)
    tables = {"deployments": deployments, "media": media, "observations": observations}
    for name, text in tables.items():
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    resources = [{"name": name, "path": f"{name}.csv"} for name in tables]
    (folder / "datapackage.json").write_text(json.dumps({"profile": PROFILE, "resources": resources, **descriptor}))
    return folder
