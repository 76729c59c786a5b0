"""Entry point of the `wildpost` command: builds the argument parser and runs one subcommand.

Each subcommand parses its arguments, calls one function, prints the result and returns an exit code.
"""

import argparse
import importlib
import sys

from contract.errors import WildpostError
from contract.private_files import private_umask
from contract.redaction import Redaction, environment_secrets, redact_uncaught_exceptions
from wildpost.cli.expected_errors import is_expected, missing_extra
from wildpost.cli.pickle_question import confirmed, trust_named

# One module for each subcommand; its add(commands) registers the parser and sets `run`.
# Packages of an extra are imported inside `run`, since not every machine has them.
COMMANDS = (
    "demo",
    "serve",
    "ingest",
    "station",
    "fleet",
    "trends",
    "seasons",
    "populations",
    "export",
    "report",
    "coverage",
    "deployments",
    "evidence",
    "users",
    "areas",
    "audit",
    "models",
    "doctor",
    "alerts",
    "broker",
    "command",
    "commands",
    "backup",
    "backup_keygen",
    "restore",
    "import_bundle",
    "completion",
)


class _PrintVersion(argparse.Action):
    """Argument parser action of ``--version``: prints the version and the commit.

    Other commands do not run git, because only this action reads the commit.
    """

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from wildpost.version import version_text

        print(f"wildpost {version_text()}")
        parser.exit()


def parser() -> argparse.ArgumentParser:
    """Build the argument parser of the `wildpost` command with all subcommands.

    A test checks the documentation against the parser.
    """
    root = argparse.ArgumentParser(
        prog="wildpost", description="Run and manage wildlife monitoring stations and their server."
    )
    root.add_argument("--version", action=_PrintVersion, nargs=0, help="print the version and the commit, and exit")
    commands = root.add_subparsers(required=True, metavar="COMMAND")
    for name in COMMANDS:
        importlib.import_module(f"wildpost.cli.{name}").add(commands)
    return root


def main(argv: list[str] | None = None) -> int:
    """Parse the arguments, run the subcommand and return its exit code.

    An expected error is printed as one line; other errors keep their traceback.
    """
    arguments = parser().parse_args(argv)
    if argv is None:  # this function is the process
        redact_uncaught_exceptions(Redaction(environment_secrets()))
    try:
        with private_umask():
            return _run(arguments)
    except ModuleNotFoundError as error:
        remedy = missing_extra(error)
        if remedy is None:
            raise
        print(f"wildpost: {remedy}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("wildpost: stopped", file=sys.stderr)
        return 130
    except Exception as error:
        if not is_expected(error):
            raise
        print(f"wildpost: {Redaction(environment_secrets())(str(error))}", file=sys.stderr)
        return 1


def _run(arguments: argparse.Namespace) -> int:
    """Run the subcommand, and run it again if the user confirms a checkpoint that it refused to open."""
    trust_named(arguments)
    while True:
        try:
            return int(arguments.run(arguments))
        except WildpostError as error:
            if not confirmed(error):
                raise


if __name__ == "__main__":
    sys.exit(main())
