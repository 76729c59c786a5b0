"""Counts what the intake does, in the form that Prometheus reads."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

from ingest.metrics.bulk_histogram import BulkHistogram

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_AGES = (1, 2, 5, 10, 30, 60, 600, 3600, 6 * 3600, 24 * 3600, 7 * 24 * 3600)


class IntakeMetrics:
    """Counters of one intake, in a registry of their own; they begin at zero with the process."""

    def __init__(self) -> None:
        """Make them."""
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)

        def counter(name: str, about: str, *labels: str) -> Counter:
            return Counter(f"wildpost_{name}", about, labels, registry=self.registry)

        def histogram(name: str, about: str, buckets: Sequence[float]) -> Histogram:
            return Histogram(f"wildpost_{name}", about, buckets=buckets, registry=self.registry)

        def gauge(name: str, about: str) -> Gauge:
            return Gauge(f"wildpost_{name}", about, registry=self.registry)

        self.arrived = counter("messages_arrived", "Messages that the broker handed over, repeats included")
        self.received = counter("messages_received", "Messages that are durable here, repeats included")
        self.stored = counter("records_stored", "New records in the detection store")
        self.repeated = counter("records_repeated", "Records that were delivered again and were there already")
        self.events = counter("events", "Captures among the received, repeats included")
        self.media = counter("media", "Thumbnails and clips among the received, repeats included")
        self.unusable = counter("messages_quarantined", "Messages received that could not be read", "reason")
        self.flagged = counter("flags", "New flags")
        self.refused = counter("batches_refused", "Attempts after which a batch was not durable and was tried again")
        self.ahead = counter("live_messages", "Fresh captures taken ahead of a backlog; they come again with it")
        self.store_s = histogram("store_seconds", "One commit of the detection store", _SECONDS)
        self.batch_s = histogram("batch_seconds", "One batch, from its first attempt until it is durable", _SECONDS)
        self.batch_size = histogram("batch_messages", "Messages in a batch", (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000))
        self.age_s = BulkHistogram(
            "wildpost_event_age_seconds", "From the capture until it is durable here (lag)", _AGES, self.registry
        )
        self.in_flight = gauge("messages_in_flight", "Messages handed over and not yet acknowledged")
        self.connected = gauge("connected", "1 while the broker has accepted us")
        self.stuck_s = gauge("loop_silent_seconds", "Since the receiving loop last gave a sign of life")
        self.catching_up = gauge("catching_up", "1 while a backlog is worked off and live captures go first")

    def record_batch(self, counts: Mapping[str, int], reasons: Sequence[str], ages_s: Sequence[float]) -> None:
        """Count a batch that is durable.

        Args:
            counts: By the names of the counters above.
            reasons: Of each message that could not be used.
            ages_s: Of each capture.
        """
        for name, count in counts.items():
            getattr(self, name).inc(count)
        for reason in reasons:
            self.unusable.labels(reason).inc()
        self.age_s.observe(ages_s)


def ages_s(captured: Sequence[datetime], now: datetime) -> list[float]:
    """Tell how old captures are; a clock that is ahead makes them no younger than nothing."""
    return [max(0.0, (now - at).total_seconds()) for at in captured]
