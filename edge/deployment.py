"""Options that describe a station's deployment, and the function that builds the deployment record from them."""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from contract import DeployedSensor, Deployment
from contract.bounds import Heading, Height, Moment, Note, Tilt, Uncertainty
from contract.bounds import OptionalText as Line
from contract.deployment import EvidenceUse, Tags, check_period
from edge.station import StationOptions


class MountingOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options that describe how a sensor is mounted.

    Attributes:
        model: Manufacturer and model of the camera or recorder.
        height_m: Height above the ground, in metres.
        tilt_deg: Angle of a camera: 0 is level, -90 straight down.
        heading_deg: Direction of a camera, in degrees clockwise from north.
    """

    model: Line = ""
    height_m: Height | None = None
    tilt_deg: Tilt | None = None
    heading_deg: Heading | None = None


class DeploymentOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options that describe the deployment; its name and coordinates are in ``StationOptions``.

    Attributes:
        location_name: Name of the place, as people call it.
        coordinate_uncertainty_m: The true place is within this distance of latitude and longitude, in metres.
        start: When the station was set up, with its offset from UTC.
        end: When it was or will be taken down, with its offset from UTC.
        setup_by: Person or team that set it up.
        habitat: Short description of the habitat.
        bait_use: Whether bait or a lure is used; none: not known.
        timestamp_issues: Whether times are known to be wrong; none: not known.
        tags: Words by which deployments are grouped or found.
        comments: Anything else.
        evidence_use: "lead" for a hidden or unannounced device; "reviewed-and-announced" where the equipment passed
            legal and technical review and signs announce it.
    """

    location_name: Line = ""
    coordinate_uncertainty_m: Uncertainty | None = None
    start: Moment | None = None
    end: Moment | None = None
    setup_by: Line = ""
    habitat: Line = ""
    bait_use: bool | None = None
    timestamp_issues: bool | None = None
    tags: Tags = ()
    comments: Note = ""
    evidence_use: EvidenceUse = "lead"

    def __post_init__(self) -> None:
        check_period(self.start, self.end)


def deployment_record(
    station: StationOptions, options: DeploymentOptions, sensors: Sequence[DeployedSensor], at: datetime
) -> Deployment:
    """Build the deployment record that a station sends to the server.

    Args:
        station: Names the station and the deployment, and says where it stands.
        options: What else is known.
        sensors: With their mounting.
        at: The time now.
    """
    return Deployment(
        station=station.name,
        deployment=station.deployment,
        at=at,
        sensors=tuple(sensors),
        location=station.location,
        evidence_use=options.evidence_use,
        start=options.start,
        end=options.end,
        coordinate_uncertainty_m=options.coordinate_uncertainty_m,
        location_name=options.location_name,
        setup_by=options.setup_by,
        habitat=options.habitat,
        bait_use=options.bait_use,
        timestamp_issues=options.timestamp_issues,
        tags=options.tags,
        comments=options.comments,
    )
