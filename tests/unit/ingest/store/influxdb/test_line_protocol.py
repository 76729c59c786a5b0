"""Our line protocol is that of influxdb-client, byte for byte, whatever a station sends."""

import json
import math

from hypothesis import example, given
from hypothesis import strategies as some
from influxdb_client import Point

from ingest.store.influxdb.line_protocol import Value, from_tag, json_field, line, to_tag, value_text

ANY_TEXT = some.text(max_size=30)
VALUES = some.none() | ANY_TEXT | some.integers(-(2**63), 2**63 - 1) | some.floats()


@given(
    some.dictionaries(some.sampled_from(["station", "sensor", "taxon"]), ANY_TEXT),
    some.dictionaries(some.sampled_from(["event_id", "certainty", "at_ns", "payload"]), VALUES),
    some.integers(-(2**63), 2**63 - 1),
)
@example({"taxon": 'a\\, b=c "d"\n'}, {"payload": '{"a": "\\\\"}\n', "certainty": 1.0, "at_ns": 3}, 0)
@example({"taxon": ""}, {"certainty": 1e300}, 1)
def test_a_point_is_written_as_the_library_writes_it(
    tags: dict[str, str], fields: dict[str, Value], time_ns: int
) -> None:
    point = Point("detection").time(time_ns)
    for name, text in tags.items():
        point.tag(name, to_tag(text))
    for name, value in fields.items():
        if value is not None:
            point.field(name, value)
    if any(
        value is not None and not (isinstance(value, float) and not math.isfinite(value)) for value in fields.values()
    ):
        assert line("detection", tags, fields, time_ns) == point.to_line_protocol().encode()


@given(ANY_TEXT)
def test_a_tag_is_read_back_as_it_was_and_breaks_no_line(text: str) -> None:
    assert from_tag(to_tag(text)) == text
    assert not any(sign < " " for sign in to_tag(text))


@given(
    some.recursive(
        some.none() | some.booleans() | some.integers() | ANY_TEXT,
        lambda inner: some.lists(inner) | some.dictionaries(ANY_TEXT, inner),
        max_leaves=10,
    ),
    some.sampled_from([None, 2, "\t", "\r\n"]),
    some.booleans(),
)
@example({"a\\": '"'}, 2, True)
def test_a_document_is_written_as_any_text_is(content: object, indent: int | str | None, ascii_only: bool) -> None:
    payload = json.dumps(content, indent=indent, ensure_ascii=ascii_only).encode(errors="replace")
    assert json_field(payload) == value_text(payload.decode()).encode()
