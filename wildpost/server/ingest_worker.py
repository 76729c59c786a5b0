"""Worker process of `wildpost ingest`, which receives messages until SIGTERM or until its parent process ends."""

import signal
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

from prometheus_client import Metric

from ingest.receive.mqtt.shared_subscription import SharedSubscription
from ingest.service import IngestState
from wildpost.cli.expected_errors import is_expected
from wildpost.server.assembly import run_server
from wildpost.server.gc_tuning import reduced_garbage_collection
from wildpost.server.logs import Form, set_up_logs
from wildpost.settings.secret_values import redaction_of
from wildpost.settings.server import ServerSettings

REPORT_S = 0.5
_RETIRED_AFTER_S = 5.0  # idle time after which a retiring worker ends; the broker sends queued messages within moments


@dataclass(frozen=True, slots=True)
class WorkerTask:
    """Parameters of a worker process.

    Attributes:
        settings: The server's settings.
        folder: The data folder.
        settings_folder: The folder that paths in the settings are relative to.
        share: The shared subscription of its group; None: no group.
        primary: Whether it watches for silent stations and writes pending verdicts to the store.
        log_format: Format of its log lines.
    """

    settings: ServerSettings
    folder: Path
    settings_folder: Path
    share: SharedSubscription | None
    primary: bool
    log_format: Form


@dataclass(frozen=True, slots=True)
class WorkerReport:
    """Report of a worker to its parent process, sent twice a second.

    Attributes:
        state: State of ingest; None if it failed to start or has retired.
        metrics: Its Prometheus metrics.
        failed: Why it failed to start, as a message for the operator.
        retired: The broker has no more messages for it, and its session there has been removed.
    """

    state: IngestState | None = None
    metrics: Sequence[Metric] = field(default_factory=list)
    failed: str = ""
    retired: bool = False


def run_worker(task: WorkerTask, to_parent: Connection) -> None:
    """Receive and store messages until SIGTERM, or until the parent process ends.

    A killed parent process cannot send SIGTERM.
    """
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process; the parent handles it
    redact = redaction_of(task.settings)
    log = set_up_logs(task.log_format, redact)
    try:
        _receive(task, to_parent, stop)
    except BrokenPipeError:
        log.warning("worker: its parent process ended; the broker redelivers unacknowledged messages")
    except Exception as error:
        if not is_expected(error):
            log.critical("worker: an unexpected error", exc_info=True)  # multiprocessing would print its secrets
            sys.exit(1)
        to_parent.send(WorkerReport(failed=redact(str(error))))


def _receive(task: WorkerTask, to_parent: Connection, stop: threading.Event) -> None:
    with (
        run_server(task.settings, task.folder, task.settings_folder, task.share, task.primary) as server,
        reduced_garbage_collection(),
    ):
        while True:
            state = server.state()
            to_parent.send(WorkerReport(state, list(server.ingest.metrics.registry.collect())))
            if task.share and task.share.retiring and state.idle_s > _RETIRED_AFTER_S:
                server.ingest.stop(forget=True)
                to_parent.send(WorkerReport(retired=True))
                return
            if stop.wait(REPORT_S):
                return
