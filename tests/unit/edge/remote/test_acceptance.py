"""A station acts on an envelope once, if it is for this station, newer than all before, and in time."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from contract.topics import Channel
from edge.clocks import Reading
from edge.outbox.outbox import Outbox
from edge.remote.acceptance import Acceptance, Accepted, Deferred, Ignored, Repeated
from tests.repository import REPOSITORY
from tests.signing import ROOT_KEY, sealed

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


def clock(wall: datetime = NOW, known: bool = True, plausible: bool = True) -> Reading:
    return Reading(wall, 100.0, 100.0, plausible, known)


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    with closing(Outbox(tmp_path / "outbox.sqlite")) as opened:
        yield opened


def check(outbox: Outbox, data: bytes, channel: Channel = "command", reading: Reading | None = None) -> Accepted:
    """Check an envelope and commit that it was accepted, as a station does."""
    accepted = Acceptance("lake-07", ROOT_KEY, outbox.remembered).check(channel, data, reading or clock())
    outbox.commit([], memory=accepted.memory)
    return accepted


def test_an_envelope_is_accepted_once_and_an_older_one_never(outbox: Outbox) -> None:
    older, newest = sealed(serial=4), sealed(serial=5)
    assert check(outbox, newest).refusal == ""
    with pytest.raises(Repeated):
        check(outbox, newest)
    for data in (older, sealed(serial=5, nonce="f" * 32)):
        with pytest.raises(Ignored, match="expected more than 5"):
            check(outbox, data)
    assert check(outbox, sealed(serial=6)).envelope.serial == 6


def test_commands_and_settings_have_serials_of_their_own(outbox: Outbox) -> None:
    check(outbox, sealed(serial=9))
    assert check(outbox, sealed(serial=2, kind="settings"), "settings").refusal == ""


@pytest.mark.parametrize(
    ("values", "channel", "reason"),
    [
        ({"station": "ridge-01"}, "command", "for station 'ridge-01'"),
        ({"kind": "settings"}, "command", "came on the topic"),
        ({"kind": "status"}, "settings", "came on the topic"),
        ({"root": Ed25519PrivateKey.generate()}, "command", "not signed by the root"),
        ({"signer": Ed25519PrivateKey.generate()}, "command", "not signed by the key of its certificate"),
    ],
)
def test_what_is_not_for_this_station_or_not_authentic_is_ignored(
    outbox: Outbox, values: dict[str, Any], channel: Channel, reason: str
) -> None:
    with pytest.raises(Ignored, match=reason):
        check(outbox, sealed(serial=5, **values), channel)
    assert check(outbox, sealed(serial=1, kind="status" if channel == "command" else "settings"), channel)


def test_a_replaced_certificate_is_worth_nothing_any_more(outbox: Outbox) -> None:
    settings = sealed(serial=1, kind="settings", certificate_number=7)
    check(outbox, settings, "settings")
    check(outbox, sealed(serial=5, certificate_number=8))
    with pytest.raises(Repeated):  # the copy that the broker keeps is no attack
        check(outbox, settings, "settings")
    with pytest.raises(Ignored, match="certificate 7 was replaced by certificate 8"):
        check(outbox, sealed(serial=6, certificate_number=7))


def test_an_expired_envelope_is_refused_and_does_not_come_back(outbox: Outbox) -> None:
    late = sealed(serial=5, issued=NOW - timedelta(days=2), expires=NOW - timedelta(days=1))
    assert check(outbox, late).refusal.startswith("expired: the envelope")
    with pytest.raises(Repeated):
        check(outbox, late)


def test_an_envelope_under_an_expired_certificate_is_refused(outbox: Outbox) -> None:
    data = sealed(serial=5, certificate_expires=NOW - timedelta(hours=1))
    assert check(outbox, data).refusal.startswith("expired: the certificate")


def test_an_envelope_from_the_future_is_refused(outbox: Outbox) -> None:
    assert "has not reached" in check(outbox, sealed(issued=NOW + timedelta(hours=1))).refusal
    assert check(outbox, sealed(serial=3, issued=NOW + timedelta(minutes=5))).refusal == ""


def test_an_unknown_kind_is_refused(outbox: Outbox) -> None:
    assert "kind 'shell': expected one of status, media" in check(outbox, sealed(kind="shell")).refusal


def test_without_a_known_date_what_changes_something_is_deferred_and_questions_are_answered(outbox: Outbox) -> None:
    unknown = clock(datetime(1970, 1, 1, tzinfo=UTC), known=False, plausible=False)
    for kind, channel in (("settings", "settings"), ("restart-capture", "command")):
        with pytest.raises(Deferred):
            check(outbox, sealed(serial=5, kind=kind), channel, unknown)  # type: ignore[arg-type]
    assert check(outbox, sealed(serial=5, kind="status"), reading=unknown).refusal == ""
    assert check(outbox, sealed(serial=6, kind="restart-capture")).refusal == ""


def test_without_a_known_date_the_latest_time_of_issue_is_the_earliest_that_it_can_be(outbox: Outbox) -> None:
    unknown = clock(datetime(1970, 1, 1, tzinfo=UTC), known=False, plausible=False)
    check(outbox, sealed(serial=5, issued=NOW), reading=unknown)
    held_back = sealed(serial=6, issued=NOW - timedelta(days=3), expires=NOW - timedelta(days=1))
    assert check(outbox, held_back, reading=unknown).refusal.startswith("expired")


def test_the_highest_serial_survives_a_sigkill(tmp_path: Path) -> None:
    program = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom edge.outbox.outbox import Outbox\n"
        "from tests.unit.edge.remote.test_acceptance import check\nfrom tests.signing import sealed\n"
        "check(Outbox(Path(sys.argv[1])), sealed(serial=7))\nos.kill(os.getpid(), signal.SIGKILL)\n"
    )
    path = tmp_path / "outbox.sqlite"
    ended = subprocess.run(
        [sys.executable, "-c", program, str(path)],
        cwd=REPOSITORY,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        check=False,
    )
    assert ended.returncode == -signal.SIGKILL
    with closing(Outbox(path)) as outbox, pytest.raises(Ignored, match="expected more than 7"):
        check(outbox, sealed(serial=6))
