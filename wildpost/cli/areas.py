"""`wildpost areas`: manages the areas, groups of stations, that accounts may see."""

import argparse

from wildpost.cli.access_database import access_database, add_options, command_actor


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command `wildpost areas` and its actions to the argument parser."""
    about = "manage areas, the groups of stations that accounts may see"
    actions = commands.add_parser("areas", help=about, description=about).add_subparsers(
        required=True, metavar="ACTION"
    )
    about = "create an area, or replace its stations"
    new = actions.add_parser("set", help=about, description=about)
    new.add_argument("name", help="name of the area, such as 北片")
    new.add_argument("--station", action="append", required=True, help="name of a station; may be repeated")
    new.set_defaults(run=run_set)
    about = "list all areas with their stations"
    listing = actions.add_parser("list", help=about, description=about)
    listing.set_defaults(run=run_list)
    about = "remove an area that no account has"
    remove = actions.add_parser("remove", help=about, description=about)
    remove.add_argument("name", help="name of the area")
    remove.set_defaults(run=run_remove)
    for action in (new, listing, remove):
        add_options(action)


def run_set(arguments: argparse.Namespace) -> int:
    """Create or replace an area."""
    from casebook.access.accounts import Accounts

    with access_database(arguments, create=True) as database:
        Accounts(database).set_area(arguments.name, arguments.station, command_actor())
    print(f"area {arguments.name}: {len(set(arguments.station))} stations")
    return 0


def run_list(arguments: argparse.Namespace) -> int:
    """Print all areas."""
    from casebook.access.accounts import Accounts

    with access_database(arguments) as database:
        found = Accounts(database).areas()
    for name, stations in found.items():
        print(f"{name}: {', '.join(stations)}")
    if not found:
        print("No areas.")
    return 0


def run_remove(arguments: argparse.Namespace) -> int:
    """Remove an area."""
    from casebook.access.accounts import Accounts

    with access_database(arguments) as database:
        Accounts(database).remove_area(arguments.name, command_actor())
    print(f"area {arguments.name} is removed")
    return 0
