"""Every number, time, text and list of every message type has bounds, whichever field is added later."""

import copy
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import inspect

from contract import Event, Malformed, MediaContent, decode, encode, topic_of
from contract.bounds import CLOCK_ERROR_S, DAY_S, FIRST_YEAR, LAST_YEAR
from contract.bundle.documents import BundleUnreadable, Manifest, Receipt, decode_document
from contract.codec import _TYPES
from contract.examples import EVENT, SOUND_EVENT
from contract.topics import Kind
from contract.validation import decode_stored

Path = tuple[str | int, ...]
KINDS: Mapping[str, type[msgspec.Struct]] = dict(_TYPES.items()) | {"manifest": Manifest, "receipt": Receipt}
TEXTS = {  # by the beginning of the pattern
    r"\A[A-Za-z0-9][": "lake-07",
    r"\A[0-9a-f]{8}(": "0195d0a1-0000-7000-8000-000000000001",
    r"\A[0-9a-f]{64}": "a" * 64,
    r"\A([0-9a-f]{32}": "a" * 32,
    r"\A[A-Za-z0-9+/]{43}": "A" * 43 + "=",
    r"\A[A-Za-z0-9+/]{86}": "A" * 86 + "==",
}
INT64 = range(-(2**63), 2**63)


def field_types(kind: type[msgspec.Struct]) -> inspect.StructType:
    found = inspect.type_info(kind)
    assert isinstance(found, inspect.StructType)
    return found


def concrete(kind: inspect.Type) -> inspect.Type:
    """Return the type itself, or the one beside None in an optional type."""
    if isinstance(kind, inspect.UnionType):
        return next(one for one in kind.types if not isinstance(one, inspect.NoneType))
    return kind


def example(kind: inspect.Type) -> Any:
    """Return a value of the type with every optional field filled in."""
    kind = concrete(kind)
    if isinstance(kind, inspect.StructType):
        fields = {one.encode_name: example(one.type) for one in kind.fields}
        return list(fields.values()) if kind.array_like else fields
    if isinstance(kind, inspect.VarTupleType):
        return [example(kind.item_type)]
    if isinstance(kind, inspect.LiteralType):
        return kind.values[0]
    if isinstance(kind, inspect.BoolType):
        return False
    if isinstance(kind, (inspect.FloatType, inspect.IntType)):
        return kind.ge
    if isinstance(kind, inspect.DateTimeType):
        return "2026-04-12T05:41:07Z"
    if isinstance(kind, inspect.BytesType):
        return b""
    assert isinstance(kind, inspect.StrType), kind
    return next((text for start, text in TEXTS.items() if (kind.pattern or "").startswith(start)), "a")


def payload(kind: str) -> Any:
    """Return a complete message of a kind as JSON objects; the checks between fields are met."""
    fields = example(field_types(KINDS[kind]))
    fields["schema" if kind in _TYPES else "format"] = "1.1"
    if kind == "media":
        fields["sha256"] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"  # of no bytes
    if kind == "part":
        fields["data"] = b"x"
    return fields


def leaves(kind: inspect.Type, at: Path = ()) -> Iterator[tuple[Path, inspect.Type]]:
    kind = concrete(kind)
    if isinstance(kind, inspect.StructType):
        for number, one in enumerate(kind.fields):
            yield from leaves(one.type, (*at, number if kind.array_like else one.encode_name))
    elif isinstance(kind, inspect.VarTupleType):
        yield at, kind
        yield from leaves(kind.item_type, (*at, 0))
    else:
        yield at, kind


def fields_of(*types: type[inspect.Type]) -> list[Any]:
    return [
        pytest.param(kind, path, info, id=f"{kind}.{'.'.join(map(str, path))}")
        for kind in KINDS
        for path, info in leaves(field_types(KINDS[kind]))
        if isinstance(info, types)
    ]


def with_value(kind: str, path: Path, value: object) -> Any:
    fields = inner = copy.deepcopy(payload(kind))
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    return fields


def read(kind: str, fields: Any) -> Any:
    if kind in ("manifest", "receipt"):
        return decode_document(msgspec.json.encode({"signed": fields}), KINDS[kind])  # type: ignore[type-var]
    encoded = msgspec.msgpack.encode(fields) if kind in ("media", "part") else msgspec.json.encode(fields)
    names: dict[str, Kind] = {name: name for name in _TYPES}
    return decode(topic_of("wildpost", "lake-07", names[kind]), encoded)


@pytest.mark.parametrize("kind", KINDS)
def test_the_complete_example_that_the_other_tests_change_is_valid(kind: str) -> None:
    read(kind, payload(kind))


@pytest.mark.parametrize(("kind", "path", "info"), fields_of(inspect.FloatType, inspect.IntType))
def test_a_number_outside_its_bounds_is_refused_with_its_field_and_value(kind: str, path: Path, info: Any) -> None:
    low, high = info.ge if info.ge is not None else info.gt, info.le if info.le is not None else info.lt
    assert low is not None and high is not None, "a number without bounds"
    assert int(high) in INT64 and int(low) in INT64
    names = [step for step in path if isinstance(step, str)]
    for value in (low - 1, high + 1, high * 10 + 1, -(2**62), 2**62):
        with pytest.raises((Malformed, BundleUnreadable)) as refused:
            read(kind, with_value(kind, path, value))
        assert names[-1] in str(refused.value) and "xpected" in str(refused.value)
        assert f"received {value!r}" in str(refused.value)


@pytest.mark.parametrize(("kind", "path", "info"), fields_of(inspect.FloatType, inspect.IntType))
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 1e308, 10**400])
def test_what_is_no_number_of_a_machine_is_refused(kind: str, path: Path, info: Any, value: float) -> None:
    encoded = msgspec.json.encode(with_value(kind, path, "PLACEHOLDER")) if kind != "media" else b""
    text = repr(value).replace("inf", "1e999").replace("nan", "NaN").encode()
    outer = b'{"signed":%s}' if kind in ("manifest", "receipt") else b"%s"
    with pytest.raises((Malformed, BundleUnreadable)):
        if outer != b"%s":
            decode_document(outer % encoded.replace(b'"PLACEHOLDER"', text), KINDS[kind])  # type: ignore[type-var]
        else:
            names: dict[str, Kind] = {name: name for name in _TYPES}
            decode(topic_of("wildpost", "lake-07", names[kind]), encoded.replace(b'"PLACEHOLDER"', text))


@pytest.mark.parametrize(("kind", "path", "info"), fields_of(inspect.StrType, inspect.VarTupleType))
def test_a_text_or_list_longer_than_its_bound_is_refused(kind: str, path: Path, info: Any) -> None:
    assert info.max_length is not None, "a text or list without a longest length"
    if info.max_length >= 100_000:
        return  # a manifest; its size in bytes is limited as well
    value = "a" * (info.max_length + 1) if isinstance(info, inspect.StrType) else [None] * (info.max_length + 1)
    with pytest.raises((Malformed, BundleUnreadable)) as refused:
        read(kind, with_value(kind, path, value))
    assert len(str(refused.value)) < 400


@pytest.mark.parametrize(("kind", "path", "info"), fields_of(inspect.DateTimeType))
@pytest.mark.parametrize("moment", ["0001-06-01T00:00:00Z", "9999-01-01T00:00:00Z", "2026-04-12T05:41:07"])
def test_a_time_at_the_ends_of_the_calendar_or_without_offset_is_refused(
    kind: str, path: Path, info: Any, moment: str
) -> None:
    with pytest.raises((Malformed, BundleUnreadable)) as refused:
        read(kind, with_value(kind, path, moment))
    assert str(path[-1]) in str(refused.value)


@given(
    st.datetimes(datetime(FIRST_YEAR, 1, 1), datetime(LAST_YEAR, 12, 31)),  # noqa: DTZ001, the offset follows
    st.sampled_from([UTC, *(datetime.fromisoformat(f"2026-01-01T00:00:00{one}:59").tzinfo for one in ("-23", "+23"))]),
    st.floats(0, DAY_S),
    st.floats(0, DAY_S),
    st.floats(0, CLOCK_ERROR_S),
)
def test_every_sum_of_a_valid_time_and_valid_durations_is_a_time(
    naive: datetime, zone: Any, start_s: float, length_s: float, error_s: float
) -> None:
    captured = naive.replace(tzinfo=zone)
    for sign in (1, -1):
        moved = captured + sign * timedelta(seconds=start_s + length_s + error_s)
        for east in (-14, 14):
            moved.astimezone(datetime.fromisoformat(f"2026-01-01T00:00:00{east:+03}:00").tzinfo)
        assert (moved - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) in INT64


@pytest.mark.parametrize("year", [1970, 1980, 2000, 2038, 2099, 2106])
def test_the_date_of_a_camera_whose_clock_was_never_set_is_valid(year: int) -> None:
    sent = msgspec.structs.replace(EVENT, captured_at=datetime(year, 1, 1, tzinfo=UTC))
    assert decode(topic_of("wildpost", sent.station, "event"), encode(sent)) == sent


def test_a_message_that_an_earlier_version_stored_is_still_read_within_todays_bounds() -> None:
    stored = msgspec.json.decode(encode(SOUND_EVENT))
    stored["duration_s"] = 1e12
    stored["detections"][0]["span"] |= {"start_s": 1e12, "end_s": 1e12}
    stored["clock"]["error_s"] = 1e300
    stored["models"] *= 40
    event = decode_stored(msgspec.json.encode(stored), Event)
    assert (event.duration_s, event.clock.error_s, len(event.models)) == (DAY_S, CLOCK_ERROR_S, 32)
    assert event.detections[0].span is not None and event.detections[0].span.end_s == DAY_S
    with pytest.raises(msgspec.ValidationError):
        decode_stored(msgspec.json.encode(stored | {"station": "no name"}), Event)


def test_a_nan_in_messagepack_is_refused_like_one_beyond_the_bounds() -> None:
    fields = payload("media") | {"type": float("nan")}
    with pytest.raises(Malformed):
        decode(topic_of("wildpost", "lake-07", "media"), msgspec.msgpack.encode(fields))
    assert isinstance(read("media", payload("media")), MediaContent)
