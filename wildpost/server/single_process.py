"""Runs a complete server in one process: broker connection, databases, flag rules and review pages."""

import contextlib
import json
import logging
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import msgspec

from casebook.casebook import Casebook
from contract.durable_file import durable_file
from ingest.drawing.drawings import Drawings
from ingest.service import IngestState
from ingest.store.port import Store
from review.app import create_app
from review.options import is_loopback
from wildpost.server.alerting import DRAWN
from wildpost.server.assembly import RunningServer, run_server
from wildpost.server.operations import add_operations
from wildpost.server.server_lock import server_lock
from wildpost.server.web_server import serve_http
from wildpost.settings.server import ServerSettings, WebOptions

__all__ = ["ANNOUNCED", "Server", "ServerSettings", "WebOptions", "running"]

LOG = logging.getLogger("wildpost.serve")
ANNOUNCED = "server.json"  # in the data folder while a server runs: URL, process id, token for commands


class Server:
    """A running server with review pages; created by ``running``."""

    def __init__(self, receiving: RunningServer, host: str, port: int) -> None:
        """Store the running server without pages, and the host name and port of the review pages."""
        self._receiving = receiving
        self._host = host
        self._port = port

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
        return f"http://{f'[{self._host}]' if ':' in self._host else self._host}:{self._port}/"

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
        ServerRunning: another server uses the data folder.
        SessionInUse: another server uses the session of this one at the broker.
        StoreUnavailable: a database cannot be opened.
        NotConfigured: the settings of a notifier are not usable.
        BrokerRefused: the broker refused the connection.
        OSError: the port is in use.
    """
    web = settings.web
    reachable = not is_loopback(web.host) or bool(web.proxies)
    local_token = secrets.token_urlsafe(32)
    with contextlib.ExitStack() as stack:
        stack.enter_context(server_lock(folder, "serve"))
        receiving = stack.enter_context(run_server(settings, folder, settings_folder))
        drawings = Drawings(folder / DRAWN)
        stack.callback(drawings.close)
        app = create_app(
            receiving.store,
            receiving.casebook,
            receiving.media,
            msgspec.structs.replace(settings.review, hosts=(*settings.review.hosts, settings.web.host)),
            receiving.problem,
            receiving.wake_verdict_sync,
            drawings,
            sign_in_required=reachable,
            local_token=local_token,
            wake_command_sender=receiving.command_sender.wake if receiving.command_sender else None,
            case_options=settings.cases,
            zones=receiving.zones,
        )
        add_operations(app, receiving.ingest)
        app.check_rules()
        if reachable and not app.state.site.access.accounts.exist():
            LOG.warning("the pages can be reached from elsewhere and there is no account yet: wildpost users add")
        port = stack.enter_context(
            serve_http(app, web.host, web.port, "pages", web.proxies, supervisor=receiving.supervisor)
        )
        server = Server(receiving, web.host, port)
        stack.enter_context(_announced(folder / ANNOUNCED, server.url, local_token))
        yield server


@contextlib.contextmanager
def _announced(file: Path, url: str, token: str) -> Iterator[None]:
    """Write URL and token of the running server to a private file, and delete the file when the context ends.

    Commands that find the database locked by this server read the file. Who can read it can read the databases too.
    """
    with durable_file(file) as announcement:
        announcement.write(json.dumps({"url": url, "pid": os.getpid(), "token": token}).encode())
    try:
        yield
    finally:
        file.unlink(missing_ok=True)
