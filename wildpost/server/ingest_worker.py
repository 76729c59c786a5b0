"""One worker of `wildpost ingest`: a process that receives until it is told to stop, or until nobody asks any more."""

import signal
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

import msgspec
from prometheus_client import Metric

from ingest.receive.mqtt.shared_subscription import SharedSubscription
from ingest.service import IngestState
from wildpost.cli.expected_errors import is_expected
from wildpost.server.assembly import run_server
from wildpost.server.gc_tuning import reduced_garbage_collection
from wildpost.server.logs import Form, set_up_logs
from wildpost.settings.server import ServerSettings

REPORT_S = 0.5
_RETIRED_AFTER_S = 5.0  # with nothing in hand: the broker sends what it holds within moments


@dataclass(frozen=True, slots=True)
class WorkerTask:
    """What a worker is told.

    Attributes:
        settings: Of the server.
        folder: The data folder.
        beside: The folder that paths in the settings are relative to.
        share: Its part in the group; None: it works alone.
        watches: Whether it watches for silent stations.
        log_format: Of what it says.
    """

    settings: ServerSettings
    folder: Path
    beside: Path
    share: SharedSubscription | None
    watches: bool
    log_format: Form


@dataclass(frozen=True, slots=True)
class WorkerReport:
    """What a worker says of itself, twice a second.

    Attributes:
        state: How it fares; None where it could not begin, or is done.
        metrics: What it counts.
        failed: Why it could not begin, for a person to mend.
        retired: Nothing is left for it at the broker, and its session there is ended.
    """

    state: IngestState | None = None
    metrics: Sequence[Metric] = field(default_factory=list)
    failed: str = ""
    retired: bool = False


def work(duty: WorkerTask, to_parent: Connection) -> None:
    """Receive until SIGTERM, or until the parent is gone: killed, it cannot tell us to stop."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process; the parent passes it on
    log = set_up_logs(duty.log_format)
    try:
        _receive(duty, to_parent, stop)
    except BrokenPipeError:
        log.warning("worker: the process that started it is gone; what is unacknowledged comes again")
    except Exception as error:
        if not is_expected(error):
            raise
        to_parent.send(WorkerReport(failed=str(error)))


def _receive(duty: WorkerTask, to_parent: Connection, stop: threading.Event) -> None:
    with (
        run_server(duty.settings, duty.folder, duty.beside, duty.share, duty.watches) as open_,
        reduced_garbage_collection(),
    ):
        while True:
            state = open_.state()
            to_parent.send(WorkerReport(state, list(open_.serving.metrics.registry.collect())))
            if duty.share and duty.share.retiring and state.idle_s > _RETIRED_AFTER_S:
                open_.serving.stop(forget=True)
                to_parent.send(WorkerReport(retired=True))
                return
            if stop.wait(REPORT_S):
                return


def settings_of(settings: ServerSettings, client_id: str) -> ServerSettings:
    """Give a worker a name of its own at the broker."""
    return msgspec.structs.replace(settings, broker=msgspec.structs.replace(settings.broker, client_id=client_id))
