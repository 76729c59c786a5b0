"""Supervises the worker processes of `wildpost ingest`: restarts them and merges their metrics and health."""

import logging
import multiprocessing
import time
from collections.abc import Iterable, Iterator
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path

import msgspec
from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.registry import Collector

from contract.durable_file import durable_file
from contract.errors import WildpostError
from contract.supervision import Part, Supervisor
from ingest.metrics.supervision_metrics import SupervisionMetrics
from ingest.receive.mqtt.shared_subscription import SharedSubscription
from wildpost.server.ingest_worker import WorkerReport, WorkerTask, run_worker
from wildpost.server.logs import Form
from wildpost.server.operations import health_of
from wildpost.settings.installation import identified, with_client_id
from wildpost.settings.server import ServerSettings

LOG = logging.getLogger("wildpost.workers")
_SPAWN = multiprocessing.get_context("spawn")  # a forked process would inherit locks held by threads
_PAUSES_S = (0.5, 30.0)
_STOP_TIMEOUT_S = 40.0


class CannotShare(WildpostError):
    """Ingest workers cannot start with these settings; the message says what to change."""


class _Names(msgspec.Struct, frozen=True):
    """Content of workers.json: shared subscription groups by MQTT client id of the workers.

    It lists every worker for which the broker may hold messages.
    """

    names: dict[str, str] = {}


class _Worker:
    """A worker process of `wildpost ingest`, with its last report and the time of its next restart."""

    def __init__(self, client_id: str, task: WorkerTask, part: Part) -> None:
        self.client_id = client_id
        self.part = part
        self.task = task
        self.starts = 0
        self.report = WorkerReport()
        self.reported_at = time.monotonic()
        self.restart_at = 0.0
        self.ever_ran = False
        self._process: SpawnProcess | None = None
        self._pipe: Connection | None = None

    def start(self) -> None:
        self._pipe, sender = _SPAWN.Pipe(duplex=False)
        self._process = _SPAWN.Process(target=run_worker, args=(self.task, sender), name=self.client_id)
        self._process.start()
        sender.close()
        self.starts += 1
        self.reported_at = time.monotonic()

    def read_reports(self) -> None:
        """Read all pending reports of the worker process from the pipe; keep the last report."""
        while self._pipe is not None:
            try:
                if not self._pipe.poll():
                    return
                self.report = self._pipe.recv()
            except (EOFError, OSError):  # the process ended, or was killed while it wrote a report
                self._pipe.close()
                self._pipe = None
                return
            self.reported_at = time.monotonic()
            self.ever_ran = self.ever_ran or self.report.state is not None

    @property
    def exit_code(self) -> int | None:
        """Exit code of the worker process; None while the process runs."""
        return None if self._process is None else self._process.exitcode

    @property
    def connected(self) -> bool:
        """Whether the worker is connected to the broker."""
        return self.report.state is not None and self.report.state.connected

    def terminate(self) -> None:
        if self._process is not None and self._process.exitcode is None:
            self._process.terminate()

    def stop(self, until: float) -> None:
        if self._process is None:
            return
        while self._process.exitcode is None and time.monotonic() < until:
            self.read_reports()  # a full pipe would block the worker
            self._process.join(0.05)
        if self._process.exitcode is None:
            LOG.warning("worker %s hangs and is killed; the broker redelivers its messages", self.client_id)
            self._process.kill()
            self._process.join()
        self.read_reports()

    def stuck(self, after_s: float) -> str:
        """Return why the worker cannot recover by itself; "" if the worker is not stuck."""
        silent_s = time.monotonic() - self.reported_at
        if silent_s > after_s:
            return f"worker {self.client_id} has sent no report for {silent_s:.0f} s"
        state = self.report.state
        return f"worker {self.client_id}: {state.stuck}" if state and state.stuck else ""


class Workers(Collector):
    """Supervisor of all ingest workers of this machine; ``supervise`` must be called a few times a second."""

    def __init__(
        self, settings: ServerSettings, folder: Path, settings_folder: Path, count: int, log_format: Form
    ) -> None:
        """Prepare the workers; ``start`` starts their processes.

        Raises:
            CannotShare: the store or the protocol allows only one worker.
        """
        group = settings.ingest.group or ("wildpost" if count > 1 else "")
        if group and settings.store.kind == "duckdb":
            raise CannotShare(
                f'[store] kind = "duckdb" with {count} workers of group {group!r}: a DuckDB file has one writer. '
                'Use one worker and no [ingest] group, or kind = "influxdb"'
            )
        if group and settings.broker.protocol != "5":
            raise CannotShare(
                f'[broker] protocol = "{settings.broker.protocol}" with {count} workers: sharing needs "5"'
            )
        self._stuck_after_s = settings.broker.stuck_after_s
        self._file = folder / "workers.json"
        settings = identified(settings, folder)
        self._name = settings.broker.client_id
        self.supervisor = Supervisor()
        self._parts = (settings, folder, settings_folder, log_format)
        wanted = {f"{self._name}-{number}": group for number in range(1, count + 1)} if group else {self._name: ""}
        self._workers = [self._worker(client_id, at == 0, False, group) for at, client_id in enumerate(wanted)]
        self._workers += [
            self._worker(client_id, False, True, old)
            for client_id, old in self._read_names().items()
            if old and client_id not in wanted
        ]

    def _worker(self, client_id: str, first: bool, retiring: bool, group: str) -> _Worker:
        settings, folder, settings_folder, log_format = self._parts
        primary = first and settings.ingest.first
        share = SharedSubscription(group, primary, retiring) if group else None
        own_settings = with_client_id(settings, client_id)
        task = WorkerTask(own_settings, folder, settings_folder, share, primary, log_format)
        return _Worker(client_id, task, self.supervisor.part(f"worker {client_id}", _PAUSES_S))

    def start(self) -> None:
        """Write the workers' client ids and groups to workers.json in the data folder, then start all worker processes.

        A later start with fewer workers needs the names to retire the others.
        """
        self._write_names()
        for worker in self._workers:
            worker.start()

    def supervise(self) -> str:
        """Read the workers' reports, restart ended workers, and return a description of the problems.

        Raises:
            CannotShare: a worker failed to start; the message says what to fix.
        """
        for worker in list(self._workers):
            worker.read_reports()
            if worker.exit_code is not None:
                self._restart_or_retire(worker)
        return "; ".join(filter(None, (self.stuck, self._temporary_problems)))

    @property
    def _temporary_problems(self) -> str:
        """Description of the workers' temporary problems; "" if there are none."""
        problems = {worker.report.state.problem for worker in list(self._workers) if worker.report.state}
        problems.add(self.supervisor.problem)
        return "; ".join(sorted(filter(None, problems)))

    def _restart_or_retire(self, worker: _Worker) -> None:
        now = time.monotonic()
        if worker.report.retired:
            LOG.info("worker %s has retired: the broker has no more messages for it", worker.client_id)
            self._workers.remove(worker)
            self._write_names()
        elif worker.report.failed and not worker.ever_ran:
            raise CannotShare(f"worker {worker.client_id}: {worker.report.failed}")
        elif not worker.restart_at:
            reason = worker.report.failed or f"it ended with exit code {worker.exit_code}"
            worker.restart_at = now + worker.part.ended(reason)
            worker.report = WorkerReport()  # what it reported is over
        elif now >= worker.restart_at:
            worker.restart_at = 0.0
            worker.start()
            worker.part.resumed()

    @property
    def stuck(self) -> str:
        """Description of the workers that cannot recover by themselves; "" if there are none."""
        return "; ".join(filter(None, (worker.stuck(self._stuck_after_s) for worker in self._workers)))

    @property
    def connected(self) -> bool:
        """Whether every worker is connected to the broker."""
        return all(worker.connected for worker in self._workers)

    @property
    def received(self) -> int:
        """Number of messages that the workers have persisted."""
        return sum(worker.report.state.taken.received for worker in self._workers if worker.report.state)

    def health(self) -> tuple[int, bytes]:
        """Return the status code and the JSON body of the response to /healthz."""
        stuck = self.stuck
        workers = [
            {"name": one.client_id, "starts": one.starts, "connected": one.connected} for one in list(self._workers)
        ]
        return 503 if stuck else 200, health_of(stuck, self._temporary_problems, workers=workers)

    def metrics(self) -> bytes:
        """Return the body of the response to /metrics, in Prometheus' text format."""
        registry = CollectorRegistry()
        registry.register(self)
        return generate_latest(registry)

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics of all workers, with the worker's name as a label."""
        counted: list[tuple[str, Iterable[Metric]]] = [
            (worker.client_id, worker.report.metrics) for worker in list(self._workers)
        ]
        yield from merged([*counted, ("", SupervisionMetrics(self.supervisor).collect())])
        starts = Metric("wildpost_worker_starts", "How often each worker was started", "gauge")
        for worker in list(self._workers):
            starts.add_sample("wildpost_worker_starts", {"worker": worker.client_id}, worker.starts)
        yield starts

    def stop(self) -> None:
        """Stop all workers after their current batch; kill workers that do not stop in time.

        The broker redelivers the messages of a killed worker.
        """
        until = time.monotonic() + _STOP_TIMEOUT_S
        for worker in self._workers:
            worker.terminate()
        for worker in self._workers:
            worker.stop(until)

    def _read_names(self) -> dict[str, str]:
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=_Names).names
        except FileNotFoundError:
            return {}

    def _write_names(self) -> None:
        names = {one.client_id: one.task.share.group for one in self._workers if one.task.share}
        with durable_file(self._file) as file:
            file.write(msgspec.json.encode(_Names(names)))


def merged(counted: Iterable[tuple[str, Iterable[Metric]]]) -> Iterator[Metric]:
    """Merge the workers' metrics by name and add the label ``worker`` to each sample."""
    by_name: dict[str, Metric] = {}
    for worker, metrics in counted:
        for metric in metrics:
            total = by_name.setdefault(metric.name, Metric(metric.name, metric.documentation, metric.type))
            total.samples += [one._replace(labels={**one.labels, "worker": worker}) for one in metric.samples]
    yield from by_name.values()
