"""The `wildpost` command: each subcommand parses, calls one function, prints, and returns an exit code."""

import argparse
import importlib
import sys

from wildpost.cli.expected_errors import is_expected, missing_extra

# One module for each subcommand; its add(commands) registers the parser and sets `run`.
# It imports what only some machines have when it runs.
COMMANDS = (
    "demo",
    "serve",
    "ingest",
    "station",
    "trends",
    "models",
    "doctor",
    "alerts",
    "broker",
    "backup",
    "restore",
    "import_bundle",
    "completion",
)


class _PrintVersion(argparse.Action):
    """Prints the version; asks git only when it is wanted."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from wildpost.version import version_text

        print(f"wildpost {version_text()}")
        parser.exit()


def parser() -> argparse.ArgumentParser:
    """Build the whole command line; the docs are checked against it."""
    whole = argparse.ArgumentParser(prog="wildpost", description=__doc__)
    whole.add_argument("--version", action=_PrintVersion, nargs=0, help="print the version and the commit, and exit")
    commands = whole.add_subparsers(required=True, metavar="COMMAND")
    for name in COMMANDS:
        importlib.import_module(f"wildpost.cli.{name}").add(commands)
    return whole


def main(argv: list[str] | None = None) -> int:
    """Run one command; what a person can mend is printed, anything else keeps its traceback."""
    arguments = parser().parse_args(argv)
    try:
        return int(arguments.run(arguments))
    except ModuleNotFoundError as error:
        mend = missing_extra(error)
        if mend is None:
            raise
        print(f"wildpost: {mend}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("wildpost: stopped", file=sys.stderr)
        return 130
    except Exception as error:
        if not is_expected(error):
            raise
        print(f"wildpost: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
