"""Writing of deployment records to InfluxDB: one point for every record that a station sent.

Tags are station and deployment, both of few values. The measurement ``latest`` has the record that is valid.
Where the database has a retention, a record older than that is dropped like detections of that age.
"""

from contract import Deployment
from ingest.store.influxdb.line_protocol import Value, line
from ingest.store.influxdb.points import clamp_ns
from ingest.store.influxdb.timestamp_allocator import TimestampRequest
from ingest.store.microseconds import microseconds
from ingest.store.port import Received

MEASUREMENT, ID_FIELD = "deployment", "record_id"


def deployment_request(deployment: Deployment) -> TimestampRequest:
    """Describe a deployment record to the ``TimestampAllocator``, which chooses its timestamp."""
    at_us = microseconds(deployment.at)
    return TimestampRequest(deployment.station, clamp_ns(at_us), f"{deployment.deployment}/{at_us}")


def deployment_line(item: Received, deployment: Deployment, at_ns: int) -> bytes:
    """Return the line-protocol line of a deployment record."""
    fields: dict[str, Value] = {
        ID_FIELD: deployment_request(deployment).id,
        "payload": item.payload.decode(errors="replace"),
    }
    tags = {"station": deployment.station, "deployment": deployment.deployment}
    return line(MEASUREMENT, tags, fields, at_ns)
