"""Prometheus metrics of the supervised parts of a process."""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from contract.supervision import Supervisor


class SupervisionMetrics(Collector):
    """Collector of the number of restarts of each supervised part, and of the parts that are down."""

    def __init__(self, supervisor: Supervisor) -> None:
        """Create a collector for the parts of one process."""
        self._supervisor = supervisor

    def collect(self) -> Iterator[CounterMetricFamily | GaugeMetricFamily]:
        """Yield the metric families that the Prometheus client library exports."""
        restarts = CounterMetricFamily(
            "wildpost_restarts", "Restarts of a thread or process after an exception", labels=["part"]
        )
        down = GaugeMetricFamily("wildpost_down", "1 while a thread or process is down", labels=["part"])
        for part in self._supervisor.parts:
            restarts.add_metric([part.name], part.restarts)
            down.add_metric([part.name], float(part.down_s > 0))
        yield restarts
        yield down
