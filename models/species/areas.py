"""Areas on the earth, in which a taxon occurs."""

from dataclasses import dataclass

from contract import Location


@dataclass(frozen=True, slots=True)
class Area:
    """A rectangle of latitudes and longitudes, in degrees (WGS 84)."""

    south: float
    west: float
    north: float
    east: float

    def contains(self, place: Location) -> bool:
        """Return whether a place is in the area."""
        return self.south <= place.latitude <= self.north and self.west <= place.longitude <= self.east


def read_area(text: str) -> Area:
    """Read an area in the form "south west north east".

    Raises:
        ValueError: the text has another form, or the borders are not in order.
    """
    try:
        south, west, north, east = (float(part) for part in text.split())
    except ValueError as error:
        raise ValueError(f"area {text!r}: expected south west north east, in degrees") from error
    if not (-90 <= south <= north <= 90 and -180 <= west <= east <= 180):
        raise ValueError(f"area {text!r}: expected south <= north, west <= east, in degrees")
    return Area(south, west, north, east)
