"""Verdicts reach the detection store in the background, however long it was unavailable."""

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from casebook.casebook import Casebook
from casebook.verdicts import Verdict
from contract import encode
from contract.errors import StoreUnavailable
from contract.examples import EVENT
from ingest.store.counts import CountQuery
from ingest.store.duckdb.store import DuckDbStore
from ingest.store.port import Received
from ingest.verdict_sync import VerdictSync
from tests.eventually import eventually

NOW = datetime(2026, 6, 1, tzinfo=UTC)
VERDICT = Verdict(EVENT.event_id, 0, "corrected", "animal", "dhole", "Cuon alpinus", "ranger", NOW)
THAT_DAY = CountQuery.in_utc(EVENT.captured_at - timedelta(days=1), EVENT.captured_at + timedelta(days=1))
NEVER_S = 3600.0


class InterruptedStore(DuckDbStore):
    """A DuckDB file that takes no verdicts while ``failure`` is set."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.failure: Exception | None = None
        self.attempts: list[float] = []

    def apply_verdicts(self, verdicts: Sequence[Verdict]) -> None:
        self.attempts.append(time.monotonic())
        if self.failure:
            raise self.failure
        super().apply_verdicts(verdicts)

    @property
    def taxa(self) -> set[str]:
        return {counted.taxon for counted in self.count(THAT_DAY)}


@pytest.fixture
def casebook(casebook_url: str) -> Iterator[Casebook]:
    opened = Casebook(casebook_url)
    yield opened
    opened.close()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[InterruptedStore]:
    opened = InterruptedStore(tmp_path / "detections.duckdb")
    opened.write([Received(EVENT, encode(EVENT), NOW)])
    assert "Cuon alpinus" not in opened.taxa
    yield opened
    opened.close()


@pytest.fixture
def started() -> Iterator[list[VerdictSync]]:
    """Those put here are stopped at the end of the test."""
    found: list[VerdictSync] = []
    yield found
    for one in found:
        one.stop()
    assert not any(thread.name == "verdict-sync" for thread in threading.enumerate())


def start(started: list[VerdictSync], sync: VerdictSync) -> VerdictSync:
    sync.start()
    started.append(sync)
    return sync


def test_a_verdict_that_a_crash_kept_from_the_store_counts_after_the_next_start(
    casebook: Casebook, store: InterruptedStore, started: list[VerdictSync]
) -> None:
    casebook.record_verdict(VERDICT)
    start(started, VerdictSync(casebook, store, every_s=NEVER_S))
    eventually(lambda: not casebook.unapplied_verdicts())
    assert "Cuon alpinus" in store.taxa


def test_a_verdict_given_while_the_store_is_away_counts_when_it_is_back(
    casebook: Casebook, store: InterruptedStore, started: list[VerdictSync]
) -> None:
    sync = start(started, VerdictSync(casebook, store, every_s=NEVER_S, first_pause_s=0.01, longest_pause_s=0.02))
    store.failure = StoreUnavailable("InfluxDB restarts")
    casebook.record_verdict(VERDICT)
    sync.wake()
    eventually(lambda: len(store.attempts) > 3)
    assert sync.problem == "verdicts are not counted yet, retrying: InfluxDB restarts"
    assert casebook.unapplied_verdicts() == [VERDICT]
    store.failure = None
    eventually(lambda: not sync.problem)
    assert not casebook.unapplied_verdicts()
    assert "Cuon alpinus" in store.taxa


def test_a_verdict_that_another_process_recorded_is_found_without_a_wake(
    casebook: Casebook, store: InterruptedStore, started: list[VerdictSync]
) -> None:
    start(started, VerdictSync(casebook, store, every_s=0.02))
    casebook.record_verdict(VERDICT)
    eventually(lambda: not casebook.unapplied_verdicts())
    assert "Cuon alpinus" in store.taxa


def test_pauses_between_attempts_grow_to_the_longest_and_wakes_do_not_shorten_them(
    casebook: Casebook, store: InterruptedStore, started: list[VerdictSync]
) -> None:
    store.failure = StoreUnavailable("away")
    casebook.record_verdict(VERDICT)
    sync = start(started, VerdictSync(casebook, store, every_s=NEVER_S, first_pause_s=0.1, longest_pause_s=0.4))

    def woken_until_five_attempts() -> bool:
        sync.wake()
        return len(store.attempts) >= 5

    eventually(woken_until_five_attempts)
    pauses = [later - earlier for earlier, later in zip(store.attempts, store.attempts[1:], strict=False)]
    for pause, least in zip(pauses, (0.1, 0.2, 0.4, 0.4), strict=False):
        assert pause > 0.9 * least
    assert max(pauses[:4]) < 0.8 + 1, "the pause is capped; a second for a busy machine"


def test_an_unexpected_error_is_reported_once_in_the_log_and_the_verdict_is_tried_again(
    casebook: Casebook, store: InterruptedStore, started: list[VerdictSync], caplog: pytest.LogCaptureFixture
) -> None:
    store.failure = ZeroDivisionError("a defect")
    casebook.record_verdict(VERDICT)
    casebook.record_verdict(replace(VERDICT, ordinal=1))
    with caplog.at_level(logging.ERROR, "wildpost.supervision"):
        sync = start(started, VerdictSync(casebook, store, every_s=NEVER_S, first_pause_s=0.01, longest_pause_s=0.02))
        eventually(lambda: len(store.attempts) > 3)
        assert sync.problem == "verdicts are not counted, because of an unexpected error: ZeroDivisionError: a defect"
        store.failure = None
        eventually(lambda: not sync.problem)
    assert not casebook.unapplied_verdicts()
    (logged,) = [one for one in caplog.records if one.levelno == logging.ERROR]
    assert logged.exc_info is not None


def test_one_verdict_at_which_the_store_fails_keeps_no_other_from_counting(
    casebook: Casebook, store: InterruptedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def apply(verdicts: Sequence[Verdict]) -> None:
        if any(one.ordinal == 1 for one in verdicts):
            raise OverflowError("a defect at this verdict")
        DuckDbStore.apply_verdicts(store, verdicts)

    monkeypatch.setattr(store, "apply_verdicts", apply)
    for ordinal in (1, 0, 2):
        casebook.record_verdict(replace(VERDICT, ordinal=ordinal))
    sync = VerdictSync(casebook, store)
    with pytest.raises(OverflowError):
        sync.run_once()
    assert [one.ordinal for one in casebook.unapplied_verdicts()] == [1]
    assert "OverflowError: a defect at this verdict" in sync.problem
    assert "Cuon alpinus" in store.taxa


@pytest.mark.parametrize("failure", [None, StoreUnavailable("away")], ids=["idle", "after a failure"])
def test_it_stops_at_once_in_the_middle_of_a_pause(
    casebook: Casebook, store: InterruptedStore, failure: Exception | None
) -> None:
    store.failure = failure
    casebook.record_verdict(VERDICT)
    sync = VerdictSync(casebook, store, every_s=NEVER_S, first_pause_s=NEVER_S)
    sync.start()
    eventually(lambda: bool(sync.problem) if failure else not casebook.unapplied_verdicts())
    before = time.monotonic()
    sync.stop()
    assert time.monotonic() - before < 5


def test_a_casebook_that_does_not_answer_is_reported_and_asked_again(store: InterruptedStore, tmp_path: Path) -> None:
    file = tmp_path / "casebook.sqlite"
    casebook = Casebook(f"sqlite:///{file}")
    casebook.record_verdict(VERDICT)
    casebook.close()
    file.rename(tmp_path / "elsewhere")
    file.mkdir()
    sync = VerdictSync(casebook, store)
    with pytest.raises(StoreUnavailable):
        sync.run_once()
    assert sync.problem.startswith("verdicts are not counted yet, retrying: casebook")
    file.rmdir()
    (tmp_path / "elsewhere").rename(file)
    sync.run_once()
    assert "Cuon alpinus" in store.taxa
    casebook.close()
