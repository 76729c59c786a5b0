"""The whole server in one process: the link to the broker, the stores, the rules and the pages."""

import contextlib
import dataclasses
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import uvicorn

from ingest.casebook import Casebook
from ingest.incidents.happening import IncidentOptions
from ingest.incidents.watch_loop import WatchLoop
from ingest.media.folder import FolderMedia
from ingest.receiver import ReceiverOptions
from ingest.rules import RulesOptions, load_rules
from ingest.serving import Serving, ServingState
from ingest.store.port import Store
from review.app import create_app
from review.language import load_languages
from review.options import ReviewOptions, check_bind
from wildpost.alerting import Alerting, AlertsOptions, alerting
from wildpost.stores import StoreOptions, open_store


class WebOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the pages are.

    Attributes:
        host: An address of this machine alone, since there is no sign-in yet.
        port: To listen on; 0 takes a free one.
    """

    host: str = "127.0.0.1"
    port: int = 8420


class ServerSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything a server is told; configs/server.toml is an example with comments."""

    broker: ReceiverOptions = ReceiverOptions()
    store: StoreOptions = StoreOptions()
    web: WebOptions = WebOptions()
    review: ReviewOptions = ReviewOptions()
    rules: RulesOptions = RulesOptions()
    incidents: IncidentOptions = IncidentOptions()
    alerts: AlertsOptions = AlertsOptions()


class Server:
    """Everything open and running; ``running`` makes one and closes it."""

    def __init__(
        self,
        store: Store,
        casebook: Casebook,
        serving: Serving,
        told: Alerting,
        web: uvicorn.Server,
        host: str,
    ) -> None:
        """Hold the parts together."""
        self.store = store
        self.casebook = casebook
        self._serving = serving
        self._told = told
        self._web = web
        self._host = host

    @property
    def url(self) -> str:
        """Where the pages are."""
        port = self._web.servers[0].sockets[0].getsockname()[1]
        return f"http://{f'[{self._host}]' if ':' in self._host else self._host}:{port}/"

    def state(self) -> ServingState:
        """Tell how the intake fares, and whether people are told."""
        state = self._serving.state()
        return dataclasses.replace(state, problem="; ".join(filter(None, (state.problem, self._told.problem))))


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
    rules = load_rules(settings.rules, rules_beside)
    with contextlib.ExitStack() as stack:
        store = open_store(settings.store, folder)
        stack.callback(store.close)
        casebook = Casebook(f"sqlite:///{folder / 'casebook.sqlite'}")
        stack.callback(casebook.close)
        media = FolderMedia(folder / "media")
        told = stack.enter_context(
            alerting(
                settings.alerts,
                settings.incidents,
                settings.rules,
                settings.broker,
                rules,
                store,
                casebook,
                media,
                load_languages(ZoneInfo(settings.review.time_zone)),
            )
        )
        serving = Serving(store, casebook, media, rules, settings.broker, told.desk)
        stack.callback(serving.stop)
        serving.start()
        watch = WatchLoop(told.desk.look, lambda: serving.connected)
        stack.callback(watch.stop)
        watch.start()
        app = create_app(store, casebook, media, settings.review)
        web = stack.enter_context(_web(app, settings.web))
        server = Server(store, casebook, serving, told, web, settings.web.host)
        stack.enter_context(_announced(folder / "server.json", server.url))
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
