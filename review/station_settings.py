"""Settings that the server wants of a station, beside those that the station reports, for the page of stations."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from casebook.station_commands import ReportedSettings, StationCommand
from contract.desired_settings import flattened
from i18n.settings_words import SettingsState
from review.page import Site

_STATES: dict[str, SettingsState] = {
    "asked": "waiting",
    "sent": "waiting",
    "accepted": "on trial",
    "done": "in force",
    "rolled-back": "rolled back",
    "refused": "refused",
    "expired": "expired",
}
_LOOKS = {
    "in force": ("ok", "check"),
    "rolled back": ("bad", "undo"),
    "refused": ("bad", "x"),
    "expired": ("warn", "clock"),
}


@dataclass(frozen=True, slots=True)
class ShownSettings:
    """Desired and reported settings of one station.

    Attributes:
        state: What became of the desired settings.
        command: The desired settings; None: the server has sent none.
        reported: What the station reported last; None: nothing.
        rows: Key, desired value and reported value of each setting that the server wants, as text.
    """

    state: SettingsState
    command: StationCommand | None
    reported: ReportedSettings | None
    rows: tuple[tuple[str, str, str], ...]

    @property
    def look(self) -> str:
        """Class of its badge."""
        return _LOOKS.get(self.state, ("", "clock"))[0]

    @property
    def icon(self) -> str:
        """Icon of its badge."""
        return _LOOKS.get(self.state, ("", "clock"))[1]


def shown_settings(site: Site) -> dict[str, ShownSettings]:
    """Return the settings of every station that was sent any or has reported any, by station."""
    desired, reported = site.station_commands.desired_settings(), site.station_commands.reported()
    return {name: _shown(desired.get(name), reported.get(name)) for name in sorted({*desired, *reported})}


def _shown(command: StationCommand | None, reported: ReportedSettings | None) -> ShownSettings:
    wanted = _flat(command.payload) if command else {}
    found = _flat(reported.settings) if reported else {}
    rows = tuple((key, _text(value), _text(found[key]) if key in found else "—") for key, value in wanted.items())
    return ShownSettings(_STATES.get(command.state, "waiting") if command else "none", command, reported, rows)


def _flat(text: str) -> Mapping[str, Any]:
    try:
        value = msgspec.json.decode(text)
        return flattened(value) if isinstance(value, dict) else {}
    except (msgspec.DecodeError, RecursionError):  # a station may report anything
        return {}


def _text(value: object) -> str:
    return msgspec.json.encode(value).decode()[:100]
