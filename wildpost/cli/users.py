"""`wildpost users`: manages the accounts of the review pages."""

import argparse
import getpass
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from contract.errors import InvalidInput
from wildpost.cli.access_database import access_database, add_options, command_actor

if TYPE_CHECKING:
    from casebook.access.accounts import Account

_MAX_FILE_BYTES = 10_000
# Written out, so that building the parser loads no database; a test compares it with ``casebook.access.actor.ROLES``.
ROLES = ("administrator", "manager", "ranger", "technician", "analyst", "police_guest")


class NoPassword(InvalidInput):
    """No usable password was given; the message says how to give one."""


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command `wildpost users` and its actions to the argument parser."""
    about = "manage the accounts of the review pages"
    actions = commands.add_parser("users", help=about, description=about).add_subparsers(
        required=True, metavar="ACTION"
    )
    new = _action(actions, "add", "create an account; the password is asked for", named=True)
    _add_values(new, required=True)
    _add_password(new)
    new.set_defaults(run=run_add)
    listing = _action(actions, "list", "list all accounts")
    listing.add_argument("--json", action="store_true", help="print JSON")
    listing.set_defaults(run=run_list)
    change = _action(actions, "change", "change the name on display, unit, roles or areas of an account", named=True)
    _add_values(change, required=False)
    change.set_defaults(run=run_change)
    reset = _action(actions, "reset-password", "set a new password and end all sessions of an account", named=True)
    _add_password(reset)
    reset.set_defaults(run=run_reset)
    for name, about, run in (
        ("disable", "disable an account and end its sessions; what it decided stays", run_disable),
        ("enable", "allow a disabled account to sign in again", run_enable),
        ("sign-out", "end all sessions of an account", run_sign_out),
    ):
        _action(actions, name, about, named=True).set_defaults(run=run)


def _action(
    actions: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, about: str, named: bool = False
) -> argparse.ArgumentParser:
    action = actions.add_parser(name, help=about, description=about)
    if named:
        action.add_argument("name", type=str.lower, help="name of the account, such as limin")
    add_options(action)
    return action


def _add_values(parser: argparse.ArgumentParser, required: bool) -> None:
    parser.add_argument("--display-name", required=required, help="name that decisions show")
    parser.add_argument("--unit", default="" if required else None, help="organisation of the person")
    parser.add_argument("--role", action="append", choices=ROLES, required=required, help="may be repeated")
    where = parser.add_mutually_exclusive_group(required=required)
    where.add_argument("--area", action="append", help="area whose stations the person sees; may be repeated")
    where.add_argument("--all-areas", action="store_true", help="the person sees all stations")


def _add_password(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--password-file", type=Path, metavar="FILE", help="file whose first line is the password (default: ask)"
    )


def run_add(arguments: argparse.Namespace) -> int:
    """Create an account."""
    from casebook.access.accounts import Accounts
    from casebook.access.passwords import Passwords

    values = _values(arguments)
    password = _new_password(arguments)
    with access_database(arguments, create=True) as database:
        created = Accounts(database).add(
            arguments.name,
            values["display_name"],
            Passwords().hash(password),
            values["roles"],
            values["areas"],
            values["unit"],
            command_actor(),
        )
    print(f"account {created.name}: {', '.join(created.roles)}")
    return 0


def run_list(arguments: argparse.Namespace) -> int:
    """Print all accounts."""
    from casebook.access.accounts import Accounts

    with access_database(arguments) as database:
        found = Accounts(database).all()
    if arguments.json:
        print(json.dumps([_plain(one) for one in found], ensure_ascii=False))
        return 0
    for one in found:
        state = "disabled" if one.disabled_at else "enabled"
        areas = "all areas" if "*" in one.areas else ", ".join(one.areas)
        unit = f", {one.unit}" if one.unit else ""
        print(f"{one.name}: {one.display_name}{unit}; {', '.join(one.roles)}; {areas}; {state}")
    if not found:
        print("No accounts: the pages answer on this machine only, without a sign-in.")
    return 0


def _plain(one: "Account") -> dict[str, Any]:
    return {
        "id": one.id,
        "name": one.name,
        "display_name": one.display_name,
        "unit": one.unit,
        "roles": one.roles,
        "areas": one.areas,
        "created_at": one.created_at.isoformat(),
        "disabled_at": one.disabled_at.isoformat() if one.disabled_at else None,
    }


def run_change(arguments: argparse.Namespace) -> int:
    """Change values of an account."""
    from casebook.access.accounts import Accounts

    values = _values(arguments)
    if not values:
        raise InvalidInput("nothing to change: expected --display-name, --unit, --role, --area or --all-areas")
    with access_database(arguments) as database:
        Accounts(database).change(arguments.name, values, command_actor())
    print(f"account {arguments.name} is changed; its sessions follow at once")
    return 0


def run_reset(arguments: argparse.Namespace) -> int:
    """Set a new password."""
    from casebook.access.accounts import Accounts
    from casebook.access.passwords import Passwords

    password = _new_password(arguments)
    with access_database(arguments) as database:
        Accounts(database).set_password(arguments.name, Passwords().hash(password), command_actor())
    print(f"account {arguments.name} has a new password; its sessions are ended")
    return 0


def run_disable(arguments: argparse.Namespace) -> int:
    """Disable an account."""
    from casebook.access.accounts import Accounts

    with access_database(arguments) as database:
        Accounts(database).disable(arguments.name, command_actor())
    print(f"account {arguments.name} is disabled; its sessions are ended")
    return 0


def run_enable(arguments: argparse.Namespace) -> int:
    """Enable an account."""
    from casebook.access.accounts import Accounts

    with access_database(arguments) as database:
        Accounts(database).enable(arguments.name, command_actor())
    print(f"account {arguments.name} is enabled")
    return 0


def run_sign_out(arguments: argparse.Namespace) -> int:
    """End all sessions of an account."""
    from casebook.access.accounts import Accounts

    with access_database(arguments) as database:
        ended = Accounts(database).end_sessions(arguments.name, command_actor())
    print(f"account {arguments.name}: {ended} sessions ended")
    return 0


def _values(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the values that the options give."""
    values: dict[str, Any] = {"display_name": arguments.display_name, "unit": arguments.unit}
    values["roles"] = [role for role in ROLES if role in arguments.role] if arguments.role else None
    values["areas"] = ["*"] if arguments.all_areas else arguments.area
    return {name: value for name, value in values.items() if value is not None}


def _new_password(arguments: argparse.Namespace) -> str:
    """Read a new password from the file, or ask for it twice, and check it."""
    from casebook.access.passwords import check_password

    if arguments.password_file:
        with arguments.password_file.open("rb") as file:
            password: str = file.read(_MAX_FILE_BYTES).decode("utf-8", "strict").split("\n", 1)[0].removesuffix("\r")
    elif not sys.stdin.isatty():
        raise NoPassword("no terminal to ask for the password: expected --password-file FILE")
    else:
        password = getpass.getpass("New password: ")
        if getpass.getpass("The same again: ") != password:
            raise NoPassword("the two passwords differ")
    check_password(password, arguments.name)
    return password
