"""`wildpost alerts`: sends a test alert by every way that is set up: people should be reached before it matters."""

import argparse
from datetime import UTC, datetime
from pathlib import Path

from wildpost.settings.loader import load_settings

_HOW = "docs/how-to/alerts.md has the ways, such as [[alerts.apprise]] with a name and a url_variable"


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register `wildpost alerts`."""
    about = "tell people of incidents: try whether they are reached"
    alerts = commands.add_parser("alerts", help=about, description=about)
    subcommands = alerts.add_subparsers(required=True, metavar="COMMAND")
    about = "send one test alert by every way that is set up, and say which arrived"
    test = subcommands.add_parser("test", help=about, description=about)
    test.add_argument("settings", type=Path, help="for example configs/server.toml")
    test.add_argument("--only", metavar="NAME", help="by this way alone")
    test.set_defaults(run=run_test)


def run_test(arguments: argparse.Namespace) -> int:
    """Send it; 1 where a way failed."""
    from contract.errors import Undelivered
    from ingest.alerts.message_writer import test_message
    from wildpost.server.alerting import notifiers
    from wildpost.settings.loader import SettingsError
    from wildpost.settings.server import ServerSettings

    settings = load_settings(arguments.settings, ServerSettings)
    ways = notifiers(settings.alerts, settings.broker)
    known = [way.name for way in ways]
    if arguments.only:
        ways = [way for way in ways if way.name == arguments.only]
    if not ways:
        if not known:
            raise SettingsError(f"{arguments.settings}: [alerts] sets up no way of telling people; {_HOW}")
        raise SettingsError(f"{arguments.settings}: --only {arguments.only}: expected one of {', '.join(known)}")
    message = test_message(datetime.now(UTC), settings.alerts.address, settings.review.time_zone)
    failed = 0
    for way in ways:
        try:
            way.send(message)
            print(f"{way.name}: sent")
        except Undelivered as error:
            failed += 1
            print(f"{way.name}: NOT sent: {error}")
        finally:
            way.close()
    return 1 if failed else 0
