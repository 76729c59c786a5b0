"""`wildpost serve`: runs ingest and the review pages in one process."""

import argparse
import logging
import signal
import threading
from contextlib import ExitStack
from pathlib import Path

import msgspec

from wildpost.server.logs import FORMS, set_up_logs
from wildpost.settings.data_folder import data_folder
from wildpost.settings.loader import load_settings
from wildpost.settings.secret_values import redaction_of

SLOW_S = 2.0  # after this long, log what the start is waiting for


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command `wildpost serve` to the argument parser."""
    about = "receive, store and flag events, and serve the review pages"
    serve = commands.add_parser("serve", help=about, description=about)
    serve.add_argument("settings", type=Path, nargs="?", help="for example configs/server.toml (default: all defaults)")
    serve.add_argument("--data", type=Path, help="data folder (default: WILDPOST_DATA)")
    serve.add_argument("--host", help="address of the pages (default: 127.0.0.1); others need accounts and TLS")
    serve.add_argument("--port", type=int, help="port of the pages (default: 8420)")
    serve.add_argument("--log-format", choices=FORMS, default="text", help="text, or one JSON object per line")
    serve.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run ingest and the review pages until Ctrl-C or SIGTERM."""
    from wildpost.server.gc_tuning import reduced_garbage_collection
    from wildpost.server.single_process import running
    from wildpost.settings.server import ServerSettings

    settings = load_settings(arguments.settings, ServerSettings) if arguments.settings else ServerSettings()
    overrides = {name: value for name in ("host", "port") if (value := getattr(arguments, name)) is not None}
    settings = msgspec.structs.replace(settings, web=msgspec.structs.replace(settings.web, **overrides))
    settings_folder = arguments.settings.parent if arguments.settings else Path.cwd()
    stop = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stop.set())
    log = set_up_logs(arguments.log_format, redaction_of(settings))
    folder = data_folder(arguments.data)
    broker = settings.broker
    with ExitStack() as stack:
        # The start waits for the broker's first answer; migrating a database of an earlier version can be slow too.
        slow = threading.Timer(
            SLOW_S, log.info, ["opening the databases and connecting to the broker at %s:%s", broker.host, broker.port]
        )
        stack.callback(slow.cancel)
        slow.start()
        server = stack.enter_context(running(settings, folder, settings_folder))
        slow.cancel()
        stack.enter_context(reduced_garbage_collection())
        log.info("serving %s from %s; Ctrl-C stops the server", server.url, folder)
        problem = ""
        while not stop.wait(1):
            state = server.state()
            if state.problem != problem:
                problem = state.problem
                log.log(logging.WARNING if problem else logging.INFO, "%s", problem or "no problem any more")
    log.info("stopped; the broker queues new messages until the next start")
    return 0
