"""Runs a complete server in one process: broker connection, databases, flag rules and review pages."""

import contextlib
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import uvicorn

from casebook.casebook import Casebook
from contract.supervision import SupervisedThread, Supervisor
from ingest.service import IngestState
from ingest.store.port import Store
from review.app import create_app
from review.options import check_bind
from wildpost.server.assembly import RunningServer, run_server
from wildpost.server.operations import add_operations
from wildpost.settings.server import ServerSettings, WebOptions

__all__ = ["ANNOUNCED", "Server", "ServerSettings", "WebOptions", "running"]

ANNOUNCED = "server.json"  # in the data folder while a server runs: URL of its pages and process id


class Server:
    """A running server with review pages; created by ``running``."""

    def __init__(self, receiving: RunningServer, web: uvicorn.Server, host: str) -> None:
        """Store the running server without pages, and the web server and host name of the review pages."""
        self._receiving = receiving
        self._web = web
        self._host = host

    @property
    def store(self) -> Store:
        """Detection store of the running server."""
        return self._receiving.store

    @property
    def casebook(self) -> Casebook:
        """Casebook of the running server: the database of flags, verdicts and incidents."""
        return self._receiving.casebook

    @property
    def url(self) -> str:
        """URL of the review pages."""
        port = self._web.servers[0].sockets[0].getsockname()[1]
        return f"http://{f'[{self._host}]' if ':' in self._host else self._host}:{port}/"

    def state(self) -> IngestState:
        """Return the state of ingest, including problems of alerts, stores and verdicts."""
        return self._receiving.state()


@contextlib.contextmanager
def running(settings: ServerSettings, folder: Path, settings_folder: Path) -> Iterator[Server]:
    """Run ingest and the review pages in this process until the context ends.

    The order in which the parts are closed ensures that no message is lost.

    Args:
        settings: The server's settings.
        folder: The data folder, used by this server alone.
        settings_folder: The folder that paths in the settings are relative to.

    Raises:
        NotLoopback: the address of the pages can be reached from other machines.
        StoreUnavailable: a database cannot be opened.
        NotConfigured: the settings of a notifier are not usable.
        BrokerRefused: the broker refused the connection.
        OSError: the port is in use.
    """
    check_bind(settings.web.host)
    with contextlib.ExitStack() as stack:
        receiving = stack.enter_context(run_server(settings, folder, settings_folder))
        app = create_app(
            receiving.store,
            receiving.casebook,
            receiving.media,
            settings.review,
            receiving.problem,
            receiving.wake_verdict_sync,
        )
        add_operations(app, receiving.ingest)
        web = stack.enter_context(_serve_pages(app, settings.web, receiving.supervisor))
        server = Server(receiving, web, settings.web.host)
        stack.enter_context(_announced(folder / ANNOUNCED, server.url))
        yield server


@contextlib.contextmanager
def _serve_pages(app: object, options: WebOptions, supervisor: Supervisor) -> Iterator[uvicorn.Server]:
    config = uvicorn.Config(app, host=options.host, port=options.port, log_level="warning", lifespan="off")  # type: ignore[arg-type]
    server = uvicorn.Server(config)
    ended = threading.Event()
    failed: list[int] = []

    def serve() -> None:
        try:
            server.run()
        except SystemExit as error:  # uvicorn raises this if it cannot listen
            if server.started:
                raise RuntimeError("the pages cannot listen again") from error
            failed.append(int(error.code or 1))
            return
        finally:
            ended.set()
        if not server.should_exit:
            raise RuntimeError("the web server of the pages ended")

    thread = SupervisedThread("pages", serve, supervisor)
    thread.start()
    while not server.started and not ended.wait(0.02):
        pass
    if failed or not server.started:
        thread.join()
        raise OSError(
            f"the pages could not listen on {options.host}:{options.port}: is another server using that port?"
        )
    config.port = server.servers[0].sockets[0].getsockname()[1]  # a restart listens on the same port
    try:
        yield server
    finally:
        thread.stopping.set()
        server.should_exit = True
        thread.join(20)


@contextlib.contextmanager
def _announced(file: Path, url: str) -> Iterator[None]:
    """Write the URL of the running server to a file, and delete the file when the context ends.

    Commands that find the database locked by this server read the file.
    """
    partial = file.with_suffix(".part")
    partial.write_text(json.dumps({"url": url, "pid": os.getpid()}))
    partial.replace(file)
    try:
        yield
    finally:
        file.unlink(missing_ok=True)
