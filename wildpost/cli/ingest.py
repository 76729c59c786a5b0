"""`wildpost ingest`: receives, stores and flags without the pages, in as many processes as wished."""

import argparse
import logging
import signal
import threading
from pathlib import Path

from wildpost.server.logs import FORMS, set_up_logs
from wildpost.settings.data_folder import data_folder
from wildpost.settings.loader import load_settings


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register `wildpost ingest`."""
    about = "receive from the broker, store and flag, without the pages, in one or several processes"
    ingest = commands.add_parser("ingest", help=about, description=about)
    ingest.add_argument("settings", type=Path, help="for example configs/server.toml")
    ingest.add_argument("--workers", type=int, default=1, metavar="N", help="processes that share the messages; 1")
    ingest.add_argument("--data", type=Path, help="where everything is kept (default: WILDPOST_DATA)")
    ingest.add_argument("--log-format", choices=FORMS, default="text", help="for people, or a JSON object a line")
    ingest.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Ingest until told to stop by Ctrl-C or SIGTERM."""
    from wildpost.server.ingest_workers import CannotShare, Workers
    from wildpost.server.operations import answering
    from wildpost.settings.server import ServerSettings

    if arguments.workers < 1:
        raise CannotShare(f"--workers {arguments.workers}: expected 1 or more")
    settings = load_settings(arguments.settings, ServerSettings)
    stop = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stop.set())
    folder = data_folder(arguments.data)
    log = set_up_logs(arguments.log_format)
    workers = Workers(settings, folder, arguments.settings.parent, arguments.workers, arguments.log_format)
    with answering(settings.ingest.host, settings.ingest.port, workers.health, workers.metrics) as port:
        try:
            workers.start()
            log.info("ingests; http://%s:%d/metrics and /healthz tell how it fares", settings.ingest.host, port)
            said = ""
            while not stop.wait(0.2):
                problem = workers.turn()
                if problem != said:
                    said = problem
                    log.log(logging.WARNING if problem else logging.INFO, "%s", problem or "all is well again")
        finally:
            workers.stop()
    log.info("stopped; the broker keeps what comes meanwhile")
    return 0
