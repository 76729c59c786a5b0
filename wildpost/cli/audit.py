"""`wildpost audit`: lists the entries of the audit log, and checks that none is missing or was altered."""

import argparse
import json
import re
from typing import TYPE_CHECKING

from contract.errors import InvalidInput
from wildpost.cli.access_database import access_database, add_options

if TYPE_CHECKING:
    from casebook.access.audit import AuditEntry

_NOTED = re.compile(r"(?P<number>[1-9]\d{0,17}):(?P<digest>[0-9a-f]{64})")


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command `wildpost audit` and its actions to the argument parser."""
    about = "list and check the audit log of the review pages"
    actions = commands.add_parser("audit", help=about, description=about).add_subparsers(
        required=True, metavar="ACTION"
    )
    about = "print entries of the audit log, newest first"
    listing = actions.add_parser("list", help=about, description=about)
    listing.add_argument("--limit", type=int, default=50, metavar="N", help="number of entries (default: 50)")
    listing.add_argument("--json", action="store_true", help="print one JSON object a line, with all fields")
    listing.set_defaults(run=run_list)
    about = "check that no entry is missing or was altered; exit status 1 if one is"
    verify = actions.add_parser("verify", help=about, description=about)
    verify.add_argument(
        "--noted", type=_noted, metavar="N:DIGEST", help="number and digest that an earlier check printed"
    )
    verify.set_defaults(run=run_verify)
    for action in (listing, verify):
        add_options(action)


def run_list(arguments: argparse.Namespace) -> int:
    """Print the newest entries."""
    from casebook.access.audit import AuditLog

    if arguments.limit < 1:
        raise InvalidInput(f"--limit {arguments.limit}: expected 1 or more")
    with access_database(arguments) as database:
        for entry in AuditLog(database).entries(arguments.limit):
            print(_json(entry) if arguments.json else _line(entry))
    return 0


def run_verify(arguments: argparse.Namespace) -> int:
    """Check the log, and print what to note for the next check."""
    from casebook.access.audit import AuditLog

    with access_database(arguments) as database:
        checked = AuditLog(database).check(arguments.noted)
    if checked.problem:
        print(f"the audit log is not sound: {checked.problem}; entries 1 to {checked.entries} are whole")
        return 1
    print(f"{checked.entries} entries, none is missing or altered")
    if checked.entries:
        print(f"note this away from the server, for the next check: --noted {checked.entries}:{checked.digest}")
    return 0


def _noted(text: str) -> tuple[int, str]:
    found = _NOTED.fullmatch(text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r}: expected N:DIGEST as `wildpost audit verify` prints it")
    return int(found["number"]), found["digest"]


def _line(entry: "AuditEntry") -> str:
    """Return an entry as one line; what somebody typed cannot begin another one."""
    who = " ".join(filter(None, (entry.name, f"({entry.unit})" if entry.unit else "", entry.address)))
    reason = f" [{entry.reason}]" if entry.reason else ""
    text = f"{entry.sequence} {entry.at:%Y-%m-%d %H:%M:%S} UTC {who or '-'}: {entry.action} {entry.content}{reason}"
    return "".join(char if char.isprintable() else "·" for char in text).rstrip()


def _json(entry: "AuditEntry") -> str:
    fields = {name: getattr(entry, name) for name in entry.__slots__}
    return json.dumps(fields | {"at": entry.at.isoformat()}, ensure_ascii=False)
