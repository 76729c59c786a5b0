"""Starts the workers of `wildpost ingest`, starts one again that was killed, and answers for all of them."""

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

from contract.errors import WildpostError
from ingest.receive.mqtt.shared_subscription import SharedSubscription
from wildpost.server.ingest_worker import WorkerReport, WorkerTask, settings_of, work
from wildpost.server.logs import Form
from wildpost.server.operations import health_of
from wildpost.settings.server import ServerSettings

LOG = logging.getLogger("wildpost.workers")
_SPAWN = multiprocessing.get_context("spawn")  # a fork would take threads' locks along
_AGAIN_MAX_S = 30.0
_PATIENCE_S = 40.0


class CannotShare(WildpostError):
    """Several workers were asked of a store or broker that one alone may use; the message says what to change."""


class _Names(msgspec.Struct, frozen=True):
    """Under which names workers of earlier starts may still have messages at the broker: client id to group."""

    names: dict[str, str] = {}


class _Worker:
    """One process, as often as it takes."""

    def __init__(self, client_id: str, duty: WorkerTask) -> None:
        self.client_id = client_id
        self.duty = duty
        self.starts = 0
        self.report = WorkerReport()
        self.heard_at = time.monotonic()
        self.again_at = 0.0
        self.ever_ran = False
        self._process: SpawnProcess | None = None
        self._pipe: Connection | None = None

    def start(self) -> None:
        self._pipe, theirs = _SPAWN.Pipe(duplex=False)
        self._process = _SPAWN.Process(target=work, args=(self.duty, theirs), name=self.client_id)
        self._process.start()
        theirs.close()
        self.starts += 1
        self.heard_at = time.monotonic()

    def listen(self) -> None:
        """Take in what it says."""
        while self._pipe is not None:
            try:
                if not self._pipe.poll():
                    return
                self.report = self._pipe.recv()
            except (EOFError, OSError):  # ended, or killed in the middle of a word
                self._pipe.close()
                self._pipe = None
                return
            self.heard_at = time.monotonic()
            self.ever_ran = self.ever_ran or self.report.state is not None

    @property
    def ended(self) -> int | None:
        """Its exit code once it has ended."""
        return None if self._process is None else self._process.exitcode

    @property
    def connected(self) -> bool:
        """Whether it is at the broker."""
        return self.report.state is not None and self.report.state.connected

    def told_to_stop(self) -> None:
        if self._process is not None and self._process.exitcode is None:
            self._process.terminate()

    def stop(self, until: float) -> None:
        if self._process is None:
            return
        while self._process.exitcode is None and time.monotonic() < until:
            self.listen()  # a full pipe would hold it up
            self._process.join(0.05)
        if self._process.exitcode is None:
            LOG.warning("worker %s hangs and is killed; what it had in hand comes again", self.client_id)
            self._process.kill()
            self._process.join()
        self.listen()

    def stuck(self, after_s: float) -> str:
        """Why it will not go on by itself; empty: it does."""
        silent_s = time.monotonic() - self.heard_at
        if silent_s > after_s:
            return f"worker {self.client_id} has said nothing for {silent_s:.0f} s"
        state = self.report.state
        return f"worker {self.client_id}: {state.stuck}" if state and state.stuck else ""


class Workers(Collector):
    """All workers of this machine; ``turn`` is to be called a few times a second."""

    def __init__(self, settings: ServerSettings, folder: Path, beside: Path, count: int, log_format: Form) -> None:
        """Name them; nothing runs before ``start``.

        Raises:
            CannotShare: the store or the protocol allows one alone.
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
        self._name = settings.broker.client_id
        self._parts = (settings, folder, beside, log_format)
        wanted = {f"{self._name}-{number}": group for number in range(1, count + 1)} if group else {self._name: ""}
        self._workers = [self._worker(client_id, at == 0, False, group) for at, client_id in enumerate(wanted)]
        self._workers += [
            self._worker(client_id, False, True, old)
            for client_id, old in self._remembered().items()
            if old and client_id not in wanted
        ]

    def _worker(self, client_id: str, leads: bool, retiring: bool, group: str) -> _Worker:
        settings, folder, beside, log_format = self._parts
        leads = leads and settings.ingest.first
        share = SharedSubscription(group, leads, retiring) if group else None
        return _Worker(
            client_id, WorkerTask(settings_of(settings, client_id), folder, beside, share, leads, log_format)
        )

    def start(self) -> None:
        """Start them all, the names first: what shares messages must be known to whoever ends it later."""
        self._remember()
        for worker in self._workers:
            worker.start()

    def turn(self) -> str:
        """Hear the workers, start again what was killed, and tell what is in the way, in words.

        Raises:
            CannotShare: a worker could not begin; the message says what to mend.
        """
        for worker in list(self._workers):
            worker.listen()
            if worker.ended is not None:
                self._look_after(worker)
        return "; ".join(filter(None, (self.stuck, self._hindered)))

    @property
    def _hindered(self) -> str:
        """What is in the way of the workers and may go away; empty: nothing."""
        problems = {worker.report.state.problem for worker in list(self._workers) if worker.report.state}
        return "; ".join(sorted(filter(None, problems)))

    def _look_after(self, worker: _Worker) -> None:
        now = time.monotonic()
        if worker.report.retired:
            LOG.info("worker %s has retired: nothing is left for it at the broker", worker.client_id)
            self._workers.remove(worker)
            self._remember()
        elif worker.report.failed and not worker.ever_ran:
            raise CannotShare(f"worker {worker.client_id}: {worker.report.failed}")
        elif not worker.again_at:
            pause_s = min(2.0 ** (worker.starts - 1) / 2, _AGAIN_MAX_S)
            worker.again_at = now + pause_s
            why = worker.report.failed or f"exit code {worker.ended}"
            LOG.error("worker %s ended (%s); it starts again in %.1f s", worker.client_id, why, pause_s)
        elif now >= worker.again_at:
            worker.again_at = 0.0
            worker.start()

    @property
    def stuck(self) -> str:
        """Which workers will not go on by themselves; empty: none."""
        return "; ".join(filter(None, (worker.stuck(self._stuck_after_s) for worker in self._workers)))

    @property
    def connected(self) -> bool:
        """Whether every worker is at the broker."""
        return all(worker.connected for worker in self._workers)

    @property
    def received(self) -> int:
        """How many messages they made durable."""
        return sum(worker.report.state.taken.received for worker in self._workers if worker.report.state)

    def health(self) -> tuple[int, bytes]:
        """Answer /healthz."""
        stuck = self.stuck
        workers = [
            {"name": one.client_id, "starts": one.starts, "connected": one.connected} for one in list(self._workers)
        ]
        return 503 if stuck else 200, health_of(stuck, self._hindered, workers=workers)

    def metrics(self) -> bytes:
        """Answer /metrics."""
        registry = CollectorRegistry()
        registry.register(self)
        return generate_latest(registry)

    def collect(self) -> Iterator[Metric]:
        """Give what all of them count, each under a label of its own."""
        yield from merged((worker.client_id, worker.report.metrics) for worker in list(self._workers))
        starts = Metric("wildpost_worker_starts", "How often each worker was started", "gauge")
        for worker in list(self._workers):
            starts.add_sample("wildpost_worker_starts", {"worker": worker.client_id}, worker.starts)
        yield starts

    def stop(self) -> None:
        """Have all finish what is in hand; who hangs is killed, and its messages come again."""
        until = time.monotonic() + _PATIENCE_S
        for worker in self._workers:
            worker.told_to_stop()
        for worker in self._workers:
            worker.stop(until)

    def _remembered(self) -> dict[str, str]:
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=_Names).names
        except FileNotFoundError:
            return {}

    def _remember(self) -> None:
        names = {one.client_id: one.duty.share.group for one in self._workers if one.duty.share}
        partial = self._file.with_suffix(".part")
        partial.write_bytes(msgspec.json.encode(_Names(names)))
        partial.replace(self._file)


def merged(counted: Iterable[tuple[str, Iterable[Metric]]]) -> Iterator[Metric]:
    """Join what workers count into one of each name, with a label for the worker."""
    joined: dict[str, Metric] = {}
    for name, metrics in counted:
        for metric in metrics:
            whole = joined.setdefault(metric.name, Metric(metric.name, metric.documentation, metric.type))
            whole.samples += [one._replace(labels={**one.labels, "worker": name}) for one in metric.samples]
    yield from joined.values()
