"""Deployment record of a station: place, period and sensors; the field names follow Camtrap DP 1.0."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from contract.bounds import Heading, Height, Moment, Name, Note, OptionalText, Schema, Text, Tilt, Uncertainty
from contract.messages import SCHEMA, Location

EvidenceUse = Literal["lead", "reviewed-and-announced"]
SensorKind = Literal["camera", "microphone"]
Tags = Annotated[tuple[Text, ...], Meta(max_length=50)]


class DeployedSensor(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """One sensor of a deployment, with its mounting; ``None`` or "" in a field means unknown."""

    name: Name  # as ``sensor`` of events and effort
    kind: SensorKind | None = None
    model: OptionalText = ""
    height_m: Height | None = None  # above the ground
    tilt_deg: Tilt | None = None  # 0: level, -90: straight down
    heading_deg: Heading | None = None  # clockwise from north


class Deployment(Struct, frozen=True, gc=False, kw_only=True):
    """A station's description of one deployment; the record with the latest ``at`` supersedes earlier ones.

    ``evidence_use`` says what a picture may be used for: a hidden device's picture is a lead; only equipment that was
    reviewed, marked and announced gives evidence for a fine (Administrative Penalty Law of the PRC, article 41).
    """

    station: Name
    deployment: Name  # as in events and effort; unique within the station
    at: Moment  # when the station wrote this record
    sensors: Annotated[tuple[DeployedSensor, ...], Meta(max_length=32)]
    evidence_use: EvidenceUse
    schema: Schema = SCHEMA
    start: Moment | None = None
    end: Moment | None = None
    location: Location | None = None
    coordinate_uncertainty_m: Uncertainty | None = None
    location_name: OptionalText = ""
    setup_by: OptionalText = ""
    habitat: OptionalText = ""
    bait_use: bool | None = None
    timestamp_issues: bool | None = None
    tags: Tags = ()
    comments: Note = ""
    simulated: bool | UnsetType = UNSET  # since 1.2: true for a station that is simulated
    imported_at: Moment | UnsetType = UNSET  # since 1.2, as in events

    def __post_init__(self) -> None:
        check_period(self.start, self.end)
        names = [sensor.name for sensor in self.sensors]
        if len(set(names)) != len(names):
            raise ValueError(f"sensors share a name: {names}")


def check_period(start: datetime | None, end: datetime | None) -> None:
    """Raise an error if a deployment ends before it starts.

    Raises:
        ValueError: it does.
    """
    if start is not None and end is not None and end < start:
        raise ValueError(f"deployment ends at {end}, before its start at {start}")
