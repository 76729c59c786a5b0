"""Builds the thread that sends commands to stations from the settings of a server."""

from pathlib import Path

from casebook.casebook import Casebook
from casebook.incidents.database import Database
from casebook.media_parts import MediaParts
from casebook.station_commands import StationCommands
from contract.mqtt.publisher import ConfirmedPublisher
from contract.supervision import Supervisor
from ingest.remote.sender import CommandSender
from wildpost.settings.server import ServerSettings


def command_sender(
    settings: ServerSettings, settings_folder: Path, casebook: Casebook, supervisor: Supervisor
) -> CommandSender | None:
    """Build the thread; None if the settings name no signing key.

    Args:
        settings: The server's settings.
        settings_folder: The folder that paths in the settings are relative to.
        casebook: Holds the commands.
        supervisor: Register of the failures.

    Raises:
        CommandKeyError: the file of the signing key cannot be used.
        OSError: it cannot be read.
    """
    if not settings.commands.signing_key:
        return None
    from wildpost.command_keys import read_signer

    signer = read_signer(settings_folder / settings.commands.signing_key)
    link = ConfirmedPublisher(settings.broker, user="wildpost-commands")
    database = Database(casebook.engine)
    commands, parts = StationCommands(database), MediaParts(database)
    return CommandSender(commands, parts, signer, link, settings.broker.prefix, supervisor)
