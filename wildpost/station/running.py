"""Starts a station with the settings that the server wants, and with those of before if it does not start with them."""

import contextlib
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

from contract.desired_settings import InvalidSettings
from contract.errors import WildpostError
from edge.instance_lock import StationRunning, lock_holder
from edge.remote.desired_file import DesiredFile
from edge.remote.settings_change import TRIAL_S
from wildpost.settings.desired import with_desired
from wildpost.settings.station import StationSettings
from wildpost.station.assembly import assembled, station_folder
from wildpost.station.remote import AssembledStation, Changeable

LOG = logging.getLogger("wildpost.station")
DESIRED = "desired.json"  # in the station's folder


@contextlib.contextmanager
def started(
    settings: StationSettings,
    beside: Path,
    data: Path,
    restart: Callable[[], object] = lambda: None,
    trial_s: float = TRIAL_S,
) -> Iterator[AssembledStation]:
    """Build a station as ``assembled`` does, with the settings that the server wants in place of those of the file.

    Args:
        settings: Settings of the file.
        beside: The folder that paths in the settings are relative to.
        data: The data folder of this machine.
        restart: Ends the run of the station so that it is built anew.
        trial_s: Time after which new settings are decided, in seconds.

    Raises:
        DesiredFileError: the file with the settings that the server wants is damaged.
        WildpostError: as ``assembled``, if the station was not trying new settings.
    """
    if not settings.remote.root_key:
        with assembled(settings, beside, data, restart) as built:
            yield built
        return
    folder = station_folder(settings, data)
    changeable = Changeable(DesiredFile(folder / DESIRED), settings, trial_s)
    is_running = lock_holder(folder) is not None  # then ``assembled`` raises, and nothing is to be counted
    with contextlib.ExitStack() as stack:
        chosen = settings if is_running else settings_of_this_start(changeable)
        try:
            built = stack.enter_context(assembled(chosen, beside, data, restart, changeable))
        except StationRunning:
            raise
        except WildpostError as error:
            if changeable.file.read().trial is None:
                raise
            LOG.error("the station does not start with the settings of the server: %s", error)
            changeable.file.roll_back(f"the station does not start: {error}")
            chosen = settings_of_this_start(changeable)
            built = stack.enter_context(assembled(chosen, beside, data, restart, changeable))
        yield built


def settings_of_this_start(changeable: Changeable) -> StationSettings:
    """Return the settings with which a station starts; a start during a trial is counted.

    Raises:
        DesiredFileError: the file with the settings that the server wants is damaged.
    """
    found = changeable.file.count_start()
    if found.trial is not None:
        try:
            return with_desired(changeable.base, found.trial.desired)
        except InvalidSettings as error:  # the settings file has changed since they were checked
            found = changeable.file.roll_back(str(error))
    try:
        return with_desired(changeable.base, found.settings)
    except InvalidSettings as error:
        LOG.error("the settings file alone counts: %s", error)
        return changeable.base
