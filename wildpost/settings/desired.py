"""Settings of a station with those that the server wants in place of its own."""

import msgspec

from contract.desired_settings import DesiredSettings, InvalidSettings, changeable, overlaid
from wildpost.settings.loader import describe_validation_error
from wildpost.settings.station import StationSettings


def with_desired(settings: StationSettings, desired: DesiredSettings) -> StationSettings:
    """Return the settings of a file with the desired ones in place of its own.

    Raises:
        InvalidSettings: the station cannot take them; the message names the key.
    """
    try:
        return msgspec.convert(overlaid(msgspec.to_builtins(settings), desired), StationSettings)
    except msgspec.ValidationError as error:
        raise InvalidSettings(f"desired settings: {describe_validation_error(error)}") from error


def values_in_force(settings: StationSettings) -> str:
    """Return the values of all settings that the server may change, as JSON."""
    return msgspec.json.encode(changeable(msgspec.to_builtins(settings))).decode()
