"""Secrets are removed from texts, whatever form they have there; the rest of the text stays."""

import io
import logging

import pytest

from contract.redaction import RedactingFormatter, Redaction, environment_secrets


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (
            "casebook postgresql+psycopg://w:hunter2@db/w: no answer",
            "casebook postgresql+psycopg://***@db/w: no answer",
        ),
        ("camera rtsp://admin:p/a@ss@10.0.0.7:554/stream: lost", "camera rtsp://***@10.0.0.7:554/stream: lost"),
        ("https://TOKEN@api.example/x", "https://***@api.example/x"),
        ("proxy //w:hunter2@proxy.example:3128", "proxy //***@proxy.example:3128"),
        ("GET /query?db=wildpost&p=x&token=hunter2&q=1 failed", "GET /query?db=wildpost&p=x&token=***&q=1 failed"),
        ("https://s3/b?X-Amz-Signature=hunter2&x=1", "https://s3/b?X-Amz-Signature=***&x=1"),
        ("host=db password=hunter2 dbname=x", "host=db password=*** dbname=x"),
        ("password='hunter two' dbname=x", "password=*** dbname=x"),
        ("{'Authorization': 'Token hunter2'}", "{'Authorization': 'Token ***'}"),
        ("Authorization: Bearer hunter2", "Authorization: Bearer ***"),
        ("AGE-SECRET-KEY-1QQQQ and more", "*** and more"),
        ("-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY----- and more", "*** and more"),
        ("-----BEGIN EC PRIVATE KEY-----\nhunter2 cut off", "***"),
        ("broker 127.0.0.1:1883 refuses user wildpost-ingest; see https://example.org/a?page=2", None),
        ("/data/media: no space; mail ranger@example.org", None),
    ],
)
def test_credentials_are_recognised_by_their_form(text: str, left: str | None) -> None:
    assert Redaction()(text) == (text if left is None else left)


@pytest.mark.parametrize(
    "secret", ["plain-secret", "with space/and&more=?", "quo\"te's\\back", "中文密码密码", "a%b+c@d"]
)
def test_a_known_secret_is_hidden_in_every_form(secret: str) -> None:
    import json
    from urllib.parse import quote, quote_plus

    redact = Redaction([f"{secret}\n"])
    for form in (secret, quote(secret), quote(secret, safe=""), quote_plus(secret), json.dumps(secret), repr(secret)):
        hidden = redact(f"before {form} after")
        assert "***" in hidden
        assert secret not in hidden
        assert hidden.startswith("before ") and hidden.endswith(" after")


@pytest.mark.parametrize("part", ["a", "a://", "//", "//a", "pass", "&", "&pass", "-----BEGIN "])
def test_a_long_text_without_a_secret_is_searched_in_linear_time(part: str) -> None:
    text = "&" + part * 250_000  # would take hours in quadratic time
    assert Redaction()(text) == text


def test_a_longer_secret_is_hidden_whole_although_it_contains_a_shorter_one() -> None:
    assert Redaction(["abcd", "abcdefgh"])("x abcdefgh y abcd") == "x *** y ***"


def test_very_short_values_hide_nothing() -> None:
    assert Redaction(["", " ", "a", "abc"])("a text with abc in it") == "a text with abc in it"


def test_variables_are_secrets_by_their_names(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RESERVE_S3_KEY", "WILDPOST_BROKER_PASSWORD", "MY_TOKEN", "WILDPOST_ALERT_RANGERS", "INFLUX_SECRET"):
        monkeypatch.setenv(name, f"value of {name}")
    monkeypatch.setenv("WILDPOST_DATA", "/var/lib/wildpost")
    monkeypatch.setenv("KEYBOARD", "a layout")
    found = environment_secrets()
    assert {one for one in found if one.startswith("value of ")} == {
        f"value of {name}"
        for name in (
            "RESERVE_S3_KEY",
            "WILDPOST_BROKER_PASSWORD",
            "MY_TOKEN",
            "WILDPOST_ALERT_RANGERS",
            "INFLUX_SECRET",
        )
    }
    assert "/var/lib/wildpost" not in found
    assert "a layout" not in found


def test_a_log_record_and_its_traceback_have_no_secrets() -> None:
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(RedactingFormatter("wildpost: %(message)s", Redaction(["hunter2"])))
    log = logging.Logger("test")
    log.addHandler(handler)
    try:
        raise ValueError("cannot sign in with hunter2")
    except ValueError:
        log.exception("tried %s at %s", "hunter2", "influx://u:other-secret@db", stack_info=True)
    said = written.getvalue()
    assert "hunter2" not in said
    assert "other-secret" not in said
    assert "wildpost: tried *** at influx://***@db" in said
    assert "ValueError: cannot sign in with ***" in said
