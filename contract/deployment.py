"""The deployment of a station: where it stands, since when, with which sensors. Names follow Camtrap DP 1.0."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from contract.messages import SCHEMA, Amount, Location, Moment, Name, Note, Text

EvidenceUse = Literal["lead", "reviewed-and-announced"]
SensorKind = Literal["camera", "microphone"]
Tags = Annotated[tuple[Text, ...], Meta(max_length=50)]


class DeployedSensor(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """One sensor of a deployment and how it is mounted; ``None`` and "" mean not known."""

    name: Name  # as ``sensor`` of events and effort
    kind: SensorKind | None = None
    model: Annotated[str, Meta(max_length=200)] = ""
    height_m: Amount | None = None  # above the ground
    tilt_deg: Annotated[float, Meta(ge=-90, le=90)] | None = None  # 0: level, -90: straight down
    heading_deg: Annotated[float, Meta(ge=0, le=360)] | None = None  # clockwise from north


class Deployment(Struct, frozen=True, gc=False, kw_only=True):
    """What a station knows of its deployment; of several records of one deployment the latest ``at`` is valid.

    ``evidence_use`` says what a picture may be used for: a hidden device's picture is a lead; only equipment that was
    reviewed, marked and announced gives evidence for a fine (Administrative Penalty Law of the PRC, article 41).
    """

    station: Name
    deployment: Name  # as in events and effort; unique within the station
    at: Moment  # when the station wrote this record
    sensors: Annotated[tuple[DeployedSensor, ...], Meta(max_length=32)]
    evidence_use: EvidenceUse
    schema: str = SCHEMA
    start: Moment | None = None
    end: Moment | None = None
    location: Location | None = None
    coordinate_uncertainty_m: Annotated[int, Meta(ge=1)] | None = None
    location_name: Annotated[str, Meta(max_length=200)] = ""
    setup_by: Annotated[str, Meta(max_length=200)] = ""
    habitat: Annotated[str, Meta(max_length=200)] = ""
    bait_use: bool | None = None
    timestamp_issues: bool | None = None
    tags: Tags = ()
    comments: Note = ""

    def __post_init__(self) -> None:
        check_period(self.start, self.end)
        names = [sensor.name for sensor in self.sensors]
        if len(set(names)) != len(names):
            raise ValueError(f"sensors share a name: {names}")


def check_period(start: datetime | None, end: datetime | None) -> None:
    """Refuse a period that ends before it starts.

    Raises:
        ValueError: it does.
    """
    if start is not None and end is not None and end < start:
        raise ValueError(f"deployment ends at {end}, before its start at {start}")
