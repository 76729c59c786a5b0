"""Hypothesis strategies that generate hostile messages, one strategy for each kind of fault."""

import gzip
import json
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from hypothesis import strategies as st

from contract import encode, topic_of
from contract.examples import EXAMPLES, MEDIA_CONTENT
from contract.messages import MediaContent
from contract.topics import KINDS

STATION = "lake-07"
MARK = "hostile-mark"  # part of every injection: a page that has the injection verbatim has not escaped it
INJECTIONS = (
    f"<script>alert('{MARK}')</script>",
    f'"><img src=x onerror=alert("{MARK}")>',
    f"<svg/onload=alert(/{MARK}/)>",
    f"javascript:alert('{MARK}')",
    f"{{{{7*7}}}}{{% raise '{MARK}' %}}${{7*7}}",
    f"'; DROP TABLE event; --{MARK}",
    f"' OR '1'='1' /*{MARK}*/",
    f"1); ATTACH '{MARK}.db' AS x; COPY event TO '{MARK}.csv'; --",
    f"lake,station=forged confidence=1i 1465839830100400200\n{MARK} x=1",
    f"lake\\,07\\ {MARK}=1,=,",
    f"$(touch {MARK})`id`;|& {MARK}",
    f'=HYPERLINK("http://evil.example/{MARK}")',
    f"../../../../etc/passwd%00{MARK}",
    f"%s%n%x{{0.__class__}}{MARK}",
    f"\u202e{MARK}\u2066 right to left",
    f"{MARK}\r\nSet-Cookie: a=b\r\n\r\n",
    f"\x1b]0;{MARK}\x07\x1b[2J",
)
NUMBERS = (
    *["NaN", "Infinity", "-Infinity", "1e308", "-1e308", "1e999", "1e18", "-0", "0.1e-400", "-1"],
    *["0x10", "1_000", "01", ".5", "٣", "9007199254740992", "9007199254740993", "18446744073709551616"],
    "9" * 5000,
    "1" + "0" * 400 + ".5",
)
TIMES = (
    "0001-01-01T00:00:00Z",
    "0001-01-01T00:00:00+23:59",
    "1582-10-10T00:00:00Z",
    "1969-12-31T23:59:59Z",
    "2038-01-19T03:14:08Z",
    "2262-04-12T00:00:00Z",
    "9999-12-31T23:59:59.999999Z",
    "9999-12-31T23:59:59-23:59",
    "2026-02-29T00:00:00Z",
    "2026-06-30T23:59:60Z",
    "2026-04-12T25:00:00Z",
    "2026-04-12T00:00:00+24:00",
    "2026-04-12T00:00:00.123456789123Z",
    "2026-04-12T00:00:00",
    "2026-04-12",
    "1776000000",
    "now",
)
VERSIONS = ("2.0", "0.9", "1", "1.", "-1.0", "1e0.0", "٣.٠", "1.0.0", "9" * 4400 + ".0", "", "1.0\0", "v1.0")
TOPIC_WORDS = st.sampled_from(
    ["", " ", "v1", "v2", "v0", "v-1", "v" + "9" * 5000, "v１", "V1", "events", "command", "event ", "Event", "$SYS",
     "..", "%2e%2e", "'--", "<b>", "lake 07", "湖", "😀", "a" * 300, STATION, "event", "media"]
) | st.text(st.characters(exclude_categories=("Cc", "Cs", "Cn"), exclude_characters="/+#"), max_size=30)  # fmt: skip
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
CONTROLS = st.text(
    st.sampled_from([chr(code) for code in [*range(32), 127, 0x85, 0x200B, 0x2028, 0xFEFF, 0xFFFE]]),
    min_size=1,
    max_size=6,
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**70), 2**70) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)
TYPES = ("application/gzip", "text/html", "application/x-msgpack", "image/svg+xml", "application/json; charset=utf-7")

GOOD = {name: (topic_of("wildpost", STATION, kind), encode(record)) for name, (kind, record) in EXAMPLES.items()}
_ANY = st.sampled_from(sorted(GOOD))
_JSON = st.sampled_from(sorted(name for name in GOOD if GOOD[name][1].startswith(b"{")))


def _truncated() -> st.SearchStrategy[tuple[str, bytes]]:
    return st.builds(
        lambda name, at: (GOOD[name][0], GOOD[name][1][: 1 + at % (len(GOOD[name][1]) - 1)]), _ANY, st.integers(0, 2000)
    )


def _damaged() -> st.SearchStrategy[tuple[str, bytes]]:
    def damage(name: str, at: int, gone: int, junk: bytes) -> tuple[str, bytes]:
        topic, good = GOOD[name]
        at %= len(good)
        return topic, good[:at] + junk + good[at + gone :]

    return st.builds(damage, _ANY, st.integers(0, 2000), st.integers(0, 6), st.binary(min_size=1, max_size=6))


def _places(value: object, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every value in a message, including nested values."""
    inner: Mapping[Any, object] = (
        value if isinstance(value, dict) else dict(enumerate(value)) if isinstance(value, list) else {}
    )
    for key, below in inner.items():
        yield (*path, key)
        yield from _places(below, (*path, key))


TREES = {name: json.loads(GOOD[name][1]) for name in GOOD if GOOD[name][1].startswith(b"{")}
_PLACES = {name: list(_places(tree)) for name, tree in TREES.items()}
_MOMENTS = ("captured_at", "at", "start", "end")
TIME_PLACES = {name: [at for at, path in enumerate(places) if path[-1] in _MOMENTS] for name, places in _PLACES.items()}


def _holds_number(tree: Any, path: tuple[Any, ...]) -> bool:
    for key in path:
        tree = tree[key]
    return isinstance(tree, (int, float)) and not isinstance(tree, bool)


NUMBER_PLACES = {
    name: [at for at, path in enumerate(places) if _holds_number(TREES[name], path)] for name, places in _PLACES.items()
}


def with_value(name: str, pick: int, value: object) -> tuple[str, str]:
    """Replace one value of an example message; return the message's topic, and its payload as JSON text."""
    tree = json.loads(GOOD[name][1])
    *way, last = _PLACES[name][pick % len(_PLACES[name])]
    inner = tree
    for step in way:
        inner = inner[step]
    inner[last] = value
    return GOOD[name][0], json.dumps(tree, ensure_ascii=False)


# Fields for free text, which is stored and shown on pages.
_WORDS = ("label", "scientific_name", "name", "reason", "note", "version", "type")
FREE_PLACES = {name: [at for at, path in enumerate(places) if path[-1] in _WORDS] for name, places in _PLACES.items()}


def _injected() -> st.SearchStrategy[tuple[str, bytes]]:
    def put(name: str, pick: int, text: str) -> tuple[str, bytes]:
        if FREE_PLACES[name] and pick % 4:
            pick = FREE_PLACES[name][pick % len(FREE_PLACES[name])]
        topic, made = with_value(name, pick, text)
        return topic, made.encode()

    texts = st.sampled_from(INJECTIONS) | st.builds(lambda a, b: a + b, st.sampled_from(INJECTIONS), TEXT)
    return st.builds(put, _JSON, st.integers(0, 200), texts)


def _replaced(values: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[str, bytes]]:
    def put(name: str, pick: int, value: object) -> tuple[str, bytes]:
        topic, text = with_value(name, pick, value)
        return topic, text.encode(errors="replace")

    return st.builds(put, _JSON, st.integers(0, 200), values)


def _literals() -> st.SearchStrategy[tuple[str, bytes]]:
    def put(name: str, pick: int, literal: str) -> tuple[str, bytes]:
        if NUMBER_PLACES[name] and pick % 4:
            pick = NUMBER_PLACES[name][pick % len(NUMBER_PLACES[name])]
        topic, text = with_value(name, pick, "\N{SNOWMAN}")
        return topic, text.replace('"\N{SNOWMAN}"', literal).encode()

    written = st.sampled_from(NUMBERS) | st.integers(10**15, 10**60).map(str) | st.floats().map(repr)
    return st.builds(put, _JSON, st.integers(0, 200), written)


def _times() -> st.SearchStrategy[tuple[str, bytes]]:
    def put(name: str, pick: int, moment: str) -> tuple[str, bytes]:
        topic, text = with_value(name, TIME_PLACES[name][pick % len(TIME_PLACES[name])], moment)
        return topic, text.encode()

    random_times = st.datetimes().map(lambda moment: moment.isoformat() + "Z")
    return st.builds(put, _JSON, st.integers(0, 200), st.sampled_from(TIMES) | random_times)


def _nested() -> st.SearchStrategy[tuple[str, bytes]]:
    def nest(name: str, opening: str, depth: int, closed: bool) -> tuple[str, bytes]:
        body = opening * depth + (("1" + {"[": "]", '{"a":': "}"}[opening] * depth) if closed else "")
        topic, good = GOOD[name]
        return topic, good[:-1] + f',"later":{body}}}'.encode()

    return st.builds(nest, _JSON, st.sampled_from(["[", '{"a":']), st.integers(20, 3000), st.booleans())


def _elsewhere() -> st.SearchStrategy[tuple[str, bytes]]:
    topics = st.tuples(TOPIC_WORDS, TOPIC_WORDS, TOPIC_WORDS).map(lambda words: "/".join(("wildpost", *words)))
    return st.builds(lambda topic, name: (topic, GOOD[name][1]), topics, _ANY)


def _foreign() -> st.SearchStrategy[tuple[str, bytes]]:
    names = st.sampled_from(["ridge-01", "lake-7", "LAKE-07", "lake-07 ", "lake-07\0", "../lake-07"]) | TEXT
    return st.builds(
        lambda name, other: (
            GOOD[name][0],
            json.dumps(TREES[name] | {"station": other}).encode(),
        ),
        _JSON,
        names.filter(lambda other: other != STATION),
    )


def _other_version() -> st.SearchStrategy[tuple[str, bytes]]:
    versions = st.sampled_from(VERSIONS) | st.text(st.sampled_from("0123456789."), max_size=8) | VALUES
    return st.builds(
        lambda name, version: (GOOD[name][0], json.dumps(TREES[name] | {"schema": version}).encode()),
        _JSON,
        versions.filter(lambda version: not str(version).startswith("1.")),
    )


def _media() -> st.SearchStrategy[tuple[str, bytes]]:
    def wrong(field: str, value: object) -> tuple[str, bytes]:
        fields = {name: getattr(MEDIA_CONTENT, name) for name in MediaContent.__struct_fields__}
        return GOOD["media"][0], msgspec.msgpack.encode(fields | {field: value})

    values = st.none() | st.integers(-(2**63), 2**63) | TEXT | st.binary(max_size=60) | st.sampled_from(INJECTIONS)
    return st.builds(wrong, st.sampled_from(MediaContent.__struct_fields__), values)


def _wrong_form() -> st.SearchStrategy[tuple[str, bytes, str]]:
    """Return a strategy for messages with a wrong content type, compression, character encoding or format."""

    def form(name: str, form: str, content_type: str, salt: bytes) -> tuple[str, bytes, str]:
        topic, good = GOOD[name]
        made = {
            "gzip": gzip.compress(good + salt, mtime=0),
            "deflate": zlib.compress(good + salt),
            "utf-16": good.decode(errors="replace").encode("utf-16") + salt,
            "bom": b"\xef\xbb\xbf" + good + salt,
            "twice": good + good + salt,
            "latin": good[:-1] + b',"later":"\xe9\xff' + salt + b'"}',
            "html": b"<!doctype html><title>" + MARK.encode() + salt,
            "msgpack": msgspec.msgpack.encode(TREES.get(name, {})) + salt,
        }[form]
        return topic, made, content_type

    forms = st.sampled_from(["gzip", "deflate", "utf-16", "bom", "twice", "latin", "html", "msgpack"])
    return st.builds(form, _ANY, forms, st.sampled_from(TYPES), st.binary(min_size=1, max_size=6))


def _junk() -> st.SearchStrategy[tuple[str, bytes]]:
    topics = st.sampled_from([topic_of("wildpost", STATION, kind) for kind in KINDS])
    payloads = st.binary(min_size=1, max_size=200) | VALUES.map(lambda value: json.dumps(value).encode())
    return st.tuples(topics, payloads)


SORTS: Mapping[str, st.SearchStrategy[Any]] = {
    "truncated": _truncated(),
    "damaged bytes": _damaged(),
    "wrong type": _replaced(VALUES),
    "number": _literals(),
    "time": _times(),
    "deep nesting": _nested(),
    "wrong topic": _elsewhere(),
    "another's station": _foreign(),
    "control characters": _replaced(st.builds(lambda a, b, c: a + b + c, TEXT, CONTROLS, TEXT)),
    "injection": _injected(),
    "another version": _other_version(),
    "media": _media(),
    "wrong form": _wrong_form(),
    "junk": _junk(),
}
