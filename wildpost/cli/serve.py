"""`wildpost serve`: receives from the broker, stores, flags and shows, in one process on one machine."""

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

SLOW_S = 2.0  # of opening: then somebody who looks is told what is waited for


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register `wildpost serve`."""
    about = "receive from the broker, store, flag, and show the review pages"
    serve = commands.add_parser("serve", help=about, description=about)
    serve.add_argument("settings", type=Path, nargs="?", help="for example configs/server.toml (default: all defaults)")
    serve.add_argument("--data", type=Path, help="where everything is kept (default: WILDPOST_DATA)")
    serve.add_argument("--host", help="where the pages listen; loopback only, since there is no sign-in yet")
    serve.add_argument("--port", type=int, help="the pages' port (default: 8420)")
    serve.add_argument("--log-format", choices=FORMS, default="text", help="for people, or a JSON object a line")
    serve.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Serve until told to stop by Ctrl-C or SIGTERM."""
    from wildpost.server.gc_tuning import reduced_garbage_collection
    from wildpost.server.single_process import running
    from wildpost.settings.server import ServerSettings

    settings = load_settings(arguments.settings, ServerSettings) if arguments.settings else ServerSettings()
    told = {name: value for name in ("host", "port") if (value := getattr(arguments, name)) is not None}
    settings = msgspec.structs.replace(settings, web=msgspec.structs.replace(settings.web, **told))
    beside = arguments.settings.parent if arguments.settings else Path.cwd()
    stop = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stop.set())
    folder = data_folder(arguments.data)
    log = set_up_logs(arguments.log_format)
    broker = settings.broker
    with ExitStack() as stack:
        # Its first answer is waited for; a database of an earlier version may take a while too.
        slow = threading.Timer(
            SLOW_S, log.info, ["opens what is kept, waits for the broker at %s:%s", broker.host, broker.port]
        )
        stack.callback(slow.cancel)
        slow.start()
        server = stack.enter_context(running(settings, folder, beside))
        slow.cancel()
        stack.enter_context(reduced_garbage_collection())
        log.info("serves %s from %s; Ctrl-C stops it", server.url, folder)
        problem = ""
        while not stop.wait(1):
            state = server.state()
            if state.problem != problem:
                problem = state.problem
                log.log(logging.WARNING if problem else logging.INFO, "%s", problem or "all is well again")
    log.info("stopped; the broker keeps what comes meanwhile")
    return 0
