"""Prometheus metrics of the intake, which receives and stores messages."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

from ingest.metrics.bulk_histogram import BulkHistogram

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_AGES = (1, 2, 5, 10, 30, 60, 600, 3600, 6 * 3600, 24 * 3600, 7 * 24 * 3600)


class IntakeMetrics:
    """Metrics of one intake, in a separate Prometheus registry; counters start at zero with the process."""

    def __init__(self) -> None:
        """Create the metrics and their registry."""
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)

        def counter(name: str, about: str, *labels: str) -> Counter:
            return Counter(f"wildpost_{name}", about, labels, registry=self.registry)

        def histogram(name: str, about: str, buckets: Sequence[float]) -> Histogram:
            return Histogram(f"wildpost_{name}", about, buckets=buckets, registry=self.registry)

        def gauge(name: str, about: str) -> Gauge:
            return Gauge(f"wildpost_{name}", about, registry=self.registry)

        self.arrived = counter("messages_arrived", "Messages received from the broker, redeliveries included")
        self.received = counter("messages_received", "Messages made durable, redeliveries included")
        self.stored = counter("records_stored", "New records in the detection store")
        self.repeated = counter("records_repeated", "Redelivered records that the store had already")
        self.events = counter("events", "Events among the received, redeliveries included")
        self.media = counter("media", "Thumbnails and clips among the received, redeliveries included")
        self.answers = counter(
            "station_answers", "Answers of stations and parts of originals received, also those nobody waits for"
        )
        self.unusable = counter("messages_quarantined", "Messages received that could not be decoded", "reason")
        self.flagged = counter("flags", "New flags")
        self.set_aside = counter(
            "messages_failed", "Valid messages quarantined because the server fails at them", "exception"
        )
        self.refused = counter("batches_refused", "Failed attempts to make a batch durable, each retried")
        self.ahead = counter(
            "live_messages", "Fresh captures processed ahead of a backlog; each is redelivered with it"
        )
        self.store_s = histogram("store_seconds", "One commit of the detection store", _SECONDS)
        self.batch_s = histogram("batch_seconds", "One batch, from the first attempt until it is durable", _SECONDS)
        self.batch_size = histogram("batch_messages", "Messages in a batch", (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000))
        self.age_s = BulkHistogram(
            "wildpost_event_age_seconds", "Lag from the capture until it is durable on the server", _AGES, self.registry
        )
        self.in_flight = gauge("messages_in_flight", "Messages received and not yet acknowledged")
        self.parked = gauge("messages_parked", "Unacknowledged messages of a kind at which the server fails")
        self.oldest_s = gauge("oldest_message_seconds", "Seconds since the oldest message in process arrived")
        self.connected = gauge("connected", "1 while the broker connection and subscription are accepted")
        self.stuck_s = gauge("loop_silent_seconds", "Seconds since the last heartbeat of the receive loop")
        self.catching_up = gauge("catching_up", "1 while a backlog is processed and live captures overtake it")

    def record_batch(self, counts: Mapping[str, int], reasons: Sequence[str], ages_s: Sequence[float]) -> None:
        """Add the counts of a stored batch to the counters, and the ages of its captures to the histogram.

        Args:
            counts: Increments by attribute name of the counters above.
            reasons: Reason of each quarantined message.
            ages_s: Age of each capture in seconds.
        """
        for name, count in counts.items():
            getattr(self, name).inc(count)
        for reason in reasons:
            self.unusable.labels(reason).inc()
        self.age_s.observe(ages_s)


def ages_s(captured: Sequence[datetime], now: datetime) -> list[float]:
    """Return the age of each capture in seconds; a capture time in the future gives age 0."""
    return [max(0.0, (now - at).total_seconds()) for at in captured]
