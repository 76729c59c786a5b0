"""The original of a capture on its page: whether it is here, on its way, or can be asked for."""

from dataclasses import dataclass

from captures.media_type import PICTURE_TYPES
from casebook.station_commands import StationCommand
from contract import Event, Media
from contract.commands import MOST_ORIGINAL_BYTES
from i18n.original_words import OriginalKind, OriginalState
from review.page import Site

_STATES: dict[str, OriginalState] = {"asked": "asked", "sent": "waiting", "accepted": "coming", "gone": "gone"}
_LOOKS = {"came": ("ok", "check"), "gone": ("bad", "x"), "failed": ("warn", "warning"), "": ("", "station")}
_KINDS: dict[str, OriginalKind] = {"picture": "picture", "sound": "recording", "film": "film"}


@dataclass(frozen=True, slots=True)
class Original:
    """State of the original of a capture.

    Attributes:
        media: Its metadata.
        kind: Picture, recording or film.
        state: Whether it was asked for, and what became of it; "": nobody has asked.
        command: The latest request; None: nobody has asked.
        can_ask: Whether the page offers a button.
    """

    media: Media
    kind: OriginalKind
    state: OriginalState
    command: StationCommand | None
    can_ask: bool

    @property
    def shown(self) -> bool:
        """Whether a browser can show it."""
        return self.media.type in PICTURE_TYPES

    @property
    def look(self) -> str:
        """Class of its badge."""
        return _LOOKS.get(self.state, ("", "clock"))[0]

    @property
    def icon(self) -> str:
        """Icon of its badge."""
        return _LOOKS.get(self.state, ("", "clock"))[1]


def original_of(site: Site, event: Event) -> Original | None:
    """Return the original of a capture; None if the station kept none."""
    media = next((one for one in event.media if one.role == "original"), None)
    if media is None:
        return None
    arrived = any(one.role == "original" for one in site.casebook.media_of([event.event_id]).get(event.event_id, []))
    command = site.station_commands.of_event(event.event_id)
    state: OriginalState = "came" if arrived else ""
    if not arrived and command is not None:
        state = _STATES.get(command.state, "failed")
    possible = site.wake_command_sender is not None and 0 < media.size <= MOST_ORIGINAL_BYTES
    return Original(media, _KINDS[event.capture], state, command, possible and state in ("", "failed", "gone"))
