"""`wildpost commands`: lists what stations were told, and makes the keys that sign it."""

import argparse
from pathlib import Path

import msgspec

from wildpost.cli.access_database import add_options
from wildpost.cli.backup_keygen import add_passphrase, read_passphrase
from wildpost.cli.command import line, open_commands

DAYS = 400


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command `wildpost commands` and its actions to the argument parser."""
    about = "list what stations were told, and make the keys that sign it"
    actions = commands.add_parser("commands", help=about, description=about).add_subparsers(
        required=True, metavar="ACTION"
    )
    about = "create a root key, which stays offline, and a signing key for the server that it certifies"
    keygen = actions.add_parser("keygen", help=about, description=about)
    keygen.add_argument("folder", type=Path, help="folder for the three files")
    _add_common(keygen)
    keygen.set_defaults(run=run_keygen)
    about = "create a new signing key; stations refuse the earlier ones as soon as they have received it"
    certify = actions.add_parser("certify", help=about, description=about)
    certify.add_argument("root", type=Path, help="commands-root.key, from where it is kept")
    certify.add_argument("file", type=Path, help="file of the new signing key, such as commands-signing.json")
    _add_common(certify)
    certify.set_defaults(run=run_certify)
    about = "list what stations were told, newest first, and their answers"
    listing = actions.add_parser("list", help=about, description=about)
    listing.add_argument("--station", default="", help="only what this station was told")
    listing.add_argument("--limit", type=int, default=50, help="at most so many (default: 50)")
    listing.add_argument("--json", action="store_true", help="one JSON object a line, with results")
    add_options(listing)
    listing.set_defaults(run=run_list)


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--days", type=_days, default=DAYS, help=f"validity of the signing key (default: {DAYS}, at most 3650)"
    )
    add_passphrase(parser, "passphrase of the root key, in this file")
    parser.add_argument("--passphrase", action="store_true", help="ask for the passphrase of the root key")


def run_keygen(arguments: argparse.Namespace) -> int:
    """Write a root key and a signing key, and print what to do with each file."""
    from wildpost.command_keys import PUBLIC, ROOT, SIGNING, create_keys

    folder = arguments.folder
    public = create_keys(folder, arguments.days, _passphrase(arguments))
    print(public)
    print(
        f"{folder / ROOT}: the root. Keep it on two sticks, and not on the server: it is needed for a new signing key"
    )
    print(f"{folder / PUBLIC}: copy it into the broker's folder: new stations get it with their hand-over")
    print("  a station that has its settings already: [remote] root_key, the key above")
    print(f"{folder / SIGNING}: for the server: [commands] signing_key, valid for {arguments.days} days")
    return 0


def run_certify(arguments: argparse.Namespace) -> int:
    """Write a new signing key."""
    from wildpost.command_keys import certify_new_key

    certificate = certify_new_key(arguments.root, arguments.file, arguments.days, _passphrase(arguments))
    print(f"{arguments.file}: certificate {certificate.number}, valid until {certificate.expires:%Y-%m-%d}")
    return 0


def run_list(arguments: argparse.Namespace) -> int:
    """Print commands with their answers."""
    with open_commands(arguments) as commands:
        found = commands.latest(arguments.station, max(1, arguments.limit))
    for one in found:
        if arguments.json:
            shown = {name: getattr(one, name) for name in one.__slots__ if name != "envelope"}
            print(msgspec.json.encode(shown).decode())
        else:
            print(f"{one.number}: {line(one)}")
    if not found and not arguments.json:
        print("No station was told anything.")
    return 0


def _passphrase(arguments: argparse.Namespace) -> str:
    given = arguments.passphrase or arguments.passphrase_file
    return read_passphrase(arguments.passphrase_file) if given else ""


def _days(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 3650:
        raise argparse.ArgumentTypeError(f"{text!r}: expected 1 to 3650")
    return int(text)
