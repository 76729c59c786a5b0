"""`wildpost ingest`: receives and stores events and applies the flag rules, in one or several processes."""

import argparse
import logging
import signal
import threading
from contextlib import ExitStack
from pathlib import Path

from wildpost.server.logs import FORMS, set_up_logs
from wildpost.settings.data_folder import data_folder
from wildpost.settings.loader import load_settings
from wildpost.settings.secret_values import redaction_of


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command `wildpost ingest` to the argument parser."""
    about = "receive, store and flag events in one or several processes, without the review pages"
    ingest = commands.add_parser("ingest", help=about, description=about)
    ingest.add_argument("settings", type=Path, help="for example configs/server.toml")
    ingest.add_argument(
        "--workers", type=int, default=1, metavar="N", help="processes that share the messages (default: 1)"
    )
    ingest.add_argument("--data", type=Path, help="data folder (default: WILDPOST_DATA)")
    ingest.add_argument("--log-format", choices=FORMS, default="text", help="text, or one JSON object per line")
    ingest.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Start and supervise the worker processes of ingest until Ctrl-C or SIGTERM."""
    from wildpost.server.ingest_workers import CannotShare, Workers
    from wildpost.server.operations import serve_operations
    from wildpost.server.server_lock import server_lock
    from wildpost.settings.server import ServerSettings

    if arguments.workers < 1:
        raise CannotShare(f"--workers {arguments.workers}: expected 1 or more")
    settings = load_settings(arguments.settings, ServerSettings)
    stop = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stop.set())
    log = set_up_logs(arguments.log_format, redaction_of(settings))
    folder = data_folder(arguments.data)
    host, port = settings.ingest.host, settings.ingest.port
    with ExitStack() as stack:
        stack.enter_context(server_lock(folder, "ingest"))
        workers = Workers(settings, folder, arguments.settings.parent, arguments.workers, arguments.log_format)
        operations = serve_operations(host, port, workers.health, workers.metrics, workers.supervisor)
        port = stack.enter_context(operations)
        try:
            workers.start()
            log.info("ingest started; metrics and health at http://%s:%d/metrics and /healthz", host, port)
            logged = ""
            while not stop.wait(0.2):
                problem = workers.supervise()
                if problem != logged:
                    logged = problem
                    log.log(logging.WARNING if problem else logging.INFO, "%s", problem or "no problem any more")
        finally:
            workers.stop()
    log.info("stopped; the broker queues new messages until the next start")
    return 0
