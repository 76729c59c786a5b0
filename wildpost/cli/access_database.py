"""What the commands for accounts, the audit log and stations share: the casebook, and who runs the command."""

import argparse
import getpass
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from contract.errors import StoreUnavailable
from wildpost.cli.server_data_options import add_data
from wildpost.settings.data_folder import data_folder, named_folder
from wildpost.settings.loader import load_settings

if TYPE_CHECKING:
    from casebook.access.actor import Actor
    from casebook.incidents.database import Database


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that name the casebook."""
    add_data(parser)
    parser.add_argument("--settings", type=Path, metavar="FILE", help="server settings, for a casebook in PostgreSQL")


@contextmanager
def access_database(arguments: argparse.Namespace, create: bool = False) -> "Iterator[Database]":
    """Open the casebook that the options name; the server may be running.

    Args:
        arguments: The options of ``add_options``.
        create: Whether to create a casebook, for an account before the first start of the server.

    Raises:
        StoreUnavailable: there is no casebook, or it does not answer.
    """
    from casebook.casebook import Casebook
    from casebook.incidents.database import Database
    from wildpost.settings.installation import installation
    from wildpost.settings.server import ServerSettings

    settings = load_settings(arguments.settings, ServerSettings) if arguments.settings else ServerSettings()
    folder = data_folder(arguments.data) if create else named_folder(arguments.data)
    if create:
        installation(folder)  # the first start would take a casebook without it for one of an earlier version
    file = folder / "casebook.sqlite"
    if not (create or settings.casebook.url or file.exists()):
        raise StoreUnavailable(f"{file}: no such casebook; name the server's data folder with --data DIR")
    with closing(Casebook(settings.casebook.url_in(folder))) as casebook:
        yield Database(casebook.engine)


def command_actor() -> "Actor":
    """Return who runs the command, for the audit log."""
    from casebook.access.actor import Actor

    return Actor("", f"{getpass.getuser()} (command line)")
