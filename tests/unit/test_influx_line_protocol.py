"""Our line protocol is that of influxdb-client, byte for byte, whatever a station sends."""

import math

from hypothesis import example, given
from hypothesis import strategies as some
from influxdb_client import Point

from ingest.store.line_protocol import Value, from_tag, line, to_tag

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
        assert line("detection", tags, fields, time_ns) == point.to_line_protocol()


@given(ANY_TEXT)
def test_a_tag_is_read_back_as_it_was_and_breaks_no_line(text: str) -> None:
    assert from_tag(to_tag(text)) == text
    assert not any(sign < " " for sign in to_tag(text))
