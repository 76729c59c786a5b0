"""The reference page of messages says what the types say."""

import re
from typing import get_args

import msgspec
import pytest

from contract import (
    SCHEMA,
    Alternative,
    Box,
    Classification,
    Clock,
    DeployedSensor,
    Deployment,
    Detection,
    Effort,
    Event,
    Health,
    HeldMedia,
    Location,
    Media,
    MediaContent,
    Model,
    PassedOver,
    SetAside,
    Span,
    bounds,
)
from contract import Status as StatusMessage
from contract.codec import LIMIT_BYTES, Reason, kind_of
from contract.commands import Answer, AnswerState, CommandKind, MediaPart
from contract.deployment import EvidenceUse, SensorKind
from contract.event_chain import ChainLink
from contract.examples import EXAMPLES
from contract.messages import ClockSource, Gap, MediaRole, ObservationType
from tests.repository import REPOSITORY

PAGE = (REPOSITORY / "docs" / "reference" / "messages.md").read_text(encoding="utf-8")
PARTS = dict(re.findall(r"^## (.+)\n((?:(?!^## ).*\n)*)", PAGE, flags=re.MULTILINE))
TYPES = (
    Alternative, Answer, Box, ChainLink, Classification, Clock, DeployedSensor, Deployment, Detection, Effort, Event,
    Health, HeldMedia, Location, Media, MediaContent, MediaPart, Model, PassedOver, SetAside, Span, StatusMessage,
)  # fmt: skip


@pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind.__name__)
def test_every_field_is_listed_and_whether_it_is_needed(kind: type[msgspec.Struct]) -> None:
    listed = dict(re.findall(r"^\| `(\w+)` \| (yes|no) \|", PARTS[kind.__name__], flags=re.MULTILINE))
    assert listed == {field.name: "yes" if field.required else "no" for field in msgspec.structs.fields(kind)}


def test_nothing_is_described_that_there_is_not() -> None:
    assert set(PARTS) == {kind.__name__ for kind in TYPES} | {"Versions", "Bounds", "Words", "Reasons for quarantine"}


def test_the_last_version_listed_is_the_one_that_is_written() -> None:
    assert re.findall(r"^\| `(\d\.\d+)` \|", PARTS["Versions"], flags=re.MULTILINE)[-1] == SCHEMA


def test_the_listed_bounds_are_those_of_the_code() -> None:
    numbers = [bounds.DAY_S, bounds.CLOCK_ERROR_S, bounds.UPTIME_S, bounds.FREQUENCY_HZ, bounds.COUNT, bounds.LOAD]
    numbers += [bounds.HEIGHT_M, bounds.DISTANCE_M, bounds.MODELS, bounds.DETECTIONS, bounds.MEDIA, bounds.ORDINAL - 1]
    listed = {text.replace(",", "") for text in re.findall(r"\d[\d,]*", PARTS["Bounds"])}
    assert {str(number) for number in (*numbers, bounds.FIRST_YEAR, bounds.LAST_YEAR)} <= listed


def test_limits_and_words_are_those_of_the_code() -> None:
    for _, record in EXAMPLES.values():
        assert f"At most {LIMIT_BYTES[kind_of(record)]:,} bytes." in PARTS[type(record).__name__]
    words = {"observation_type": ObservationType, "clock.source": ClockSource, "role": MediaRole, "gap": Gap}
    words |= {"evidence_use": EvidenceUse, "sensors.kind": SensorKind}
    words |= {"kind": CommandKind, "state": AnswerState}
    for field, literal in words.items():
        assert f"| `{field}` | {', '.join(f'`{word}`' for word in get_args(literal))} |" in PARTS["Words"]
    reasons = re.findall(r"^\| `(\w+)` \|", PARTS["Reasons for quarantine"], flags=re.MULTILINE)
    assert reasons == [*get_args(Reason), "conflict", "file", "remark", "error"]
