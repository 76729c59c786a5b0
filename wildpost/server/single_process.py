"""The whole server in one process: the link to the broker, the stores, the rules and the pages."""

import contextlib
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import uvicorn

from casebook.casebook import Casebook
from ingest.service import IngestState
from ingest.store.port import Store
from review.app import create_app
from review.options import check_bind
from wildpost.server.assembly import RunningServer, run_server
from wildpost.server.operations import add_operations
from wildpost.settings.server import ServerSettings, WebOptions

__all__ = ["ANNOUNCED", "Server", "ServerSettings", "WebOptions", "running"]

ANNOUNCED = "server.json"  # in the data folder, while a server runs: where its pages are


class Server:
    """Everything open and running; ``running`` makes one and closes it."""

    def __init__(self, run_server: RunningServer, web: uvicorn.Server, host: str) -> None:
        """Hold the parts together."""
        self._receiving = run_server
        self._web = web
        self._host = host

    @property
    def store(self) -> Store:
        """Where detections are."""
        return self._receiving.store

    @property
    def casebook(self) -> Casebook:
        """Where flags and verdicts are."""
        return self._receiving.casebook

    @property
    def url(self) -> str:
        """Where the pages are."""
        port = self._web.servers[0].sockets[0].getsockname()[1]
        return f"http://{f'[{self._host}]' if ':' in self._host else self._host}:{port}/"

    def state(self) -> IngestState:
        """Tell how the intake fares, and whether people are told."""
        return self._receiving.state()


@contextlib.contextmanager
def running(settings: ServerSettings, folder: Path, rules_beside: Path) -> Iterator[Server]:
    """Open everything, run it, and close it in the order in which nothing is lost.

    Args:
        settings: What the server is told.
        folder: The data folder, whole and alone for this server.
        rules_beside: The folder that paths in the settings are relative to.

    Raises:
        NotLoopback: the pages were told to listen where others could reach them.
        StoreUnavailable: a database does not open.
        NotConfigured: a way of telling people cannot be used.
        BrokerRefused: the broker answered and refused us.
        OSError: the port is taken.
    """
    check_bind(settings.web.host)
    with contextlib.ExitStack() as stack:
        open_ = stack.enter_context(run_server(settings, folder, rules_beside))
        app = create_app(
            open_.store, open_.casebook, open_.media, settings.review, open_.problem, open_.wake_verdict_sync
        )
        add_operations(app, open_.serving)
        web = stack.enter_context(_web(app, settings.web))
        server = Server(open_, web, settings.web.host)
        stack.enter_context(_announced(folder / ANNOUNCED, server.url))
        yield server


@contextlib.contextmanager
def _web(app: object, options: WebOptions) -> Iterator[uvicorn.Server]:
    config = uvicorn.Config(app, host=options.host, port=options.port, log_level="warning", lifespan="off")  # type: ignore[arg-type]
    server = uvicorn.Server(config)
    up = threading.Event()
    failed: list[int] = []

    def serve() -> None:
        try:
            server.run()
        except SystemExit as error:  # uvicorn's way to say that it could not listen
            failed.append(int(error.code or 1))
        up.set()

    thread = threading.Thread(target=serve, name="pages")
    thread.start()
    while not server.started and not up.wait(0.02):
        pass
    if failed or not server.started:
        thread.join()
        raise OSError(
            f"the pages could not listen on {options.host}:{options.port}: is another server using that port?"
        )
    try:
        yield server
    finally:
        server.should_exit = True
        thread.join(20)


@contextlib.contextmanager
def _announced(file: Path, url: str) -> Iterator[None]:
    """Leave word of where we are, for commands that find the database in our hands."""
    partial = file.with_suffix(".part")
    partial.write_text(json.dumps({"url": url, "pid": os.getpid()}))
    partial.replace(file)
    try:
        yield
    finally:
        file.unlink(missing_ok=True)
