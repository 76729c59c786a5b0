"""The contract between station and server: messages, MQTT topics and encoding."""

from contract.codec import LIMIT_BYTES, Malformed, Record, decode, encode, is_probe, new_event_id
from contract.messages import (
    SCHEMA,
    Box,
    Clock,
    Detection,
    Effort,
    Event,
    Health,
    Location,
    Media,
    MediaContent,
    Model,
    SetAside,
    Span,
    Status,
)
from contract.topics import Topic, parse_topic, subscription, topic_of

__all__ = [
    "LIMIT_BYTES",
    "SCHEMA",
    "Box",
    "Clock",
    "Detection",
    "Effort",
    "Event",
    "Health",
    "Location",
    "Malformed",
    "Media",
    "MediaContent",
    "Model",
    "Record",
    "SetAside",
    "Span",
    "Status",
    "Topic",
    "decode",
    "encode",
    "is_probe",
    "new_event_id",
    "parse_topic",
    "subscription",
    "topic_of",
]
