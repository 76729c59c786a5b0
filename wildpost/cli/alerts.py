"""`wildpost alerts`: sends a test alert through every configured notifier, to check it before a real incident."""

import argparse
from datetime import UTC, datetime
from pathlib import Path

from wildpost.settings.loader import load_settings

_HOW = "docs/how-to/alerts.md lists the notifiers, such as [[alerts.apprise]] with a name and a url_variable"


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register `wildpost alerts`."""
    about = "check the delivery of alerts about incidents"
    alerts = commands.add_parser("alerts", help=about, description=about)
    subcommands = alerts.add_subparsers(required=True, metavar="COMMAND")
    about = "send one test alert through every configured notifier and print the results"
    test = subcommands.add_parser("test", help=about, description=about)
    test.add_argument("settings", type=Path, help="for example configs/server.toml")
    test.add_argument("--only", metavar="NAME", help="use only the notifier of this name")
    test.set_defaults(run=run_test)


def run_test(arguments: argparse.Namespace) -> int:
    """Send a test alert; return 1 if a notifier failed."""
    from contract.errors import Undelivered
    from ingest.alerts.message_writer import test_message
    from wildpost.server.alerting import create_notifiers
    from wildpost.settings.loader import SettingsError
    from wildpost.settings.server import ServerSettings

    settings = load_settings(arguments.settings, ServerSettings)
    notifiers = create_notifiers(settings.alerts, settings.broker)
    known = [notifier.name for notifier in notifiers]
    if arguments.only:
        notifiers = [notifier for notifier in notifiers if notifier.name == arguments.only]
    if not notifiers:
        if not known:
            raise SettingsError(f"{arguments.settings}: [alerts] configures no notifier; {_HOW}")
        raise SettingsError(f"{arguments.settings}: --only {arguments.only}: expected one of {', '.join(known)}")
    message = test_message(datetime.now(UTC), settings.alerts.address, settings.review.time_zone)
    failed = 0
    for notifier in notifiers:
        try:
            notifier.send(message)
            print(f"{notifier.name}: sent")
        except Undelivered as error:
            failed += 1
            print(f"{notifier.name}: NOT sent: {error}")
        finally:
            notifier.close()
    return 1 if failed else 0
