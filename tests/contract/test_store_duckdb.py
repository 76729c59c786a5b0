"""What only the DuckDB store does."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import msgspec
import pytest

from casebook.verdicts import Verdict
from contract import Clock, Detection, Event, encode, new_event_id
from contract.errors import StoreUnavailable
from contract.examples import DEPLOYMENT, EVENT, HEALTH
from ingest.store.counts import CountQuery
from ingest.store.duckdb.connection import connect
from ingest.store.duckdb.snapshot import count_rows
from ingest.store.duckdb.store import DuckDbStore
from ingest.store.duckdb.tables import VERSION
from ingest.store.port import EventQuery, Received, Storable
from ingest.store.records import RecordQuery

FUTURE = datetime(2099, 1, 1, tzinfo=UTC)


def test_a_file_of_a_later_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "detections.duckdb"
    with duckdb.connect(str(path)) as later:
        later.execute("CREATE TABLE schema_version (version INTEGER)")
        later.execute("INSERT INTO schema_version VALUES (99)")
    with pytest.raises(StoreUnavailable, match=r"detections\.duckdb: its schema is version 99, this Wildpost reads up"):
        DuckDbStore(path)
    with duckdb.connect(str(path)) as later:
        assert later.execute("SELECT table_name FROM duckdb_tables()").fetchall() == [("schema_version",)]


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "detections.duckdb"
    path.write_bytes(b"not a database, " * 1000)
    with pytest.raises(StoreUnavailable, match=r"detections\.duckdb.*not a valid DuckDB"):
        DuckDbStore(path)


def test_nothing_is_downloaded_for_a_query_or_a_file(tmp_path: Path) -> None:
    with connect(tmp_path / "detections.duckdb") as connection:
        for name in ("autoinstall_known_extensions", "autoload_known_extensions"):
            assert connection.execute("SELECT current_setting(?)", [name]).fetchall() == [(False,)]
        with pytest.raises(duckdb.Error, match="spatial extension"):  # needs an extension that is not in the package
            connection.execute("SELECT ST_Point(31.35, 117.20)")


def test_queries_share_the_memory_and_the_disk_with_the_rest_of_the_server(tmp_path: Path) -> None:
    with duckdb.connect() as unlimited:
        (whole,) = unlimited.execute("SELECT current_setting('memory_limit')").fetchall()
    with connect(tmp_path / "detections.duckdb") as connection:
        names = ("memory_limit", "max_temp_directory_size", "temp_directory")
        memory, disk, folder = (
            connection.execute("SELECT current_setting(?)", [name]).fetchall()[0][0] for name in names
        )
    assert _gib(memory) == pytest.approx(_gib(whole[0]) * 25 / 80, rel=0.05)  # DuckDB's own default is 80 %
    assert _gib(disk) < 4
    assert Path(folder).parent == tmp_path  # and not the folder of the system, which may be small


def _gib(text: str) -> float:
    number, unit = text.split()
    return float(number) * {"MiB": 1 / 1024, "GiB": 1, "TiB": 1024}[unit]


def test_a_closed_store_says_so(tmp_path: Path) -> None:
    store = DuckDbStore(tmp_path / "detections.duckdb")
    store.close()
    with pytest.raises(StoreUnavailable, match="was closed"):
        store.write([])
    with pytest.raises(StoreUnavailable, match="closed"):
        store.events(EventQuery())


@pytest.fixture
def older(tmp_path: Path) -> Path:
    """A file of version 1."""
    path = tmp_path / "older.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute((Path(__file__).parent / "detections-1.sql").read_text())
    return path


def counted(store: DuckDbStore, min_confidence: float = 0.0) -> dict[str, tuple[int, int]]:
    day = CountQuery.in_utc(datetime(2026, 4, 12, tzinfo=UTC), datetime(2026, 4, 13, tzinfo=UTC))
    rows = store.count(replace(day, min_confidence=min_confidence))
    return {row.taxon: (row.detections, row.events) for row in rows}


@pytest.mark.parametrize("read_only", [True, False])
def test_a_file_of_version_1_counts_as_it_did(older: Path, read_only: bool) -> None:
    store = DuckDbStore(older, read_only=read_only)
    assert counted(store) == {"Sus scrofa": (4, 2), "Cervidae": (1, 1), "Canis lupus": (1, 1)}
    assert counted(store, 0.5) == {"Sus scrofa": (3, 2), "Cervidae": (1, 1), "Canis lupus": (1, 1)}
    assert counted(store, 0.7) == {"Sus scrofa": (2, 2), "Canis lupus": (1, 1)}
    assert store.events(EventQuery(taxa=("cow",))) == []
    store.close()
    with duckdb.connect(str(older)) as connection:
        assert connection.execute("SELECT version FROM schema_version").fetchall() == [(1 if read_only else VERSION,)]


@pytest.mark.parametrize("read_only", [True, False])
def test_a_file_of_version_1_has_records_with_the_number_of_animals(older: Path, read_only: bool) -> None:
    store = DuckDbStore(older, read_only=read_only)
    at = datetime(2026, 4, 12, tzinfo=UTC)
    records = store.records(RecordQuery(at, at + timedelta(days=1), taxa=("boar",)))
    assert (records.taxa, records.stations) == ((("Sus scrofa", "animal"),), ("lake-07", "ridge-01"))
    assert records.animals.tolist() == [2, 2]
    store.close()


OLD_NAMES = """
UPDATE detection SET taxon = 'Wild Boar', counts_as = 'Wild Boar', leads = true WHERE ordinal = 1;
UPDATE detection SET taxon = 'wild_boar', counts_as = 'wild_boar' WHERE ordinal = 0;
"""


def test_a_file_of_version_4_is_rewritten_under_accepted_names(tmp_path: Path) -> None:
    path = tmp_path / "version-4.duckdb"
    boars = tuple(
        Detection(
            ordinal=number, label="boar", observation_type="animal", confidence=0.9, model=EVENT.detections[0].model
        )
        for number in range(2)
    )
    untimed = Clock(source="system", synchronised=False)
    events = [
        msgspec.structs.replace(EVENT, event_id=new_event_id(), detections=boars),
        msgspec.structs.replace(EVENT, event_id=new_event_id(), detections=boars[:1], clock=untimed),
    ]
    store = DuckDbStore(path)
    store.write([Received(event, encode(event), EVENT.captured_at) for event in events])
    store.close()
    with duckdb.connect(str(path)) as connection:
        connection.execute(OLD_NAMES + TO_4)
    store = DuckDbStore(path)
    at = EVENT.captured_at
    (row,) = store.count(CountQuery.in_utc(at - timedelta(days=1), at + timedelta(days=1)))
    assert (row.taxon, row.detections, row.events) == ("Sus scrofa", 3, 2)
    records = store.records(RecordQuery(at - timedelta(days=1), at + timedelta(days=1), sensors=(EVENT.sensor,)))
    assert sorted(zip(records.animals.tolist(), records.hour_known.tolist(), strict=True)) == [(1, False), (2, True)]
    assert {(use.model, use.version) for use in store.models_in_use()} == {(m.name, m.version) for m in EVENT.models}
    store.close()


def test_a_file_of_version_1_loses_no_row_when_it_is_brought_up_to_date(older: Path) -> None:
    machine = "SELECT event_id, ordinal, station, captured_us, observation_type, confidence, model FROM detection"
    with duckdb.connect(str(older)) as connection:
        rows, found = count_rows(connection, "older"), sorted(connection.execute(machine).fetchall(), key=repr)
    DuckDbStore(older).close()
    DuckDbStore(older).close()
    with duckdb.connect(str(older)) as connection:
        added = {"judged_before": 1, "deployment": 0, "latest": 1, "clock_shift": 0, "shifted_event": 0, "model_use": 0}
        assert count_rows(connection, "older") == rows | added
        assert sorted(connection.execute(machine).fetchall(), key=repr) == found


def test_a_file_brought_up_to_date_takes_verdicts_and_captures_as_a_new_one_does(older: Path, tmp_path: Path) -> None:
    DuckDbStore(older).close()
    DuckDbStore(tmp_path / "new.duckdb").close()
    tables = "SELECT table_name, sql FROM duckdb_tables() ORDER BY 1"
    indices = "SELECT index_name, sql FROM duckdb_indexes() ORDER BY 1"
    views = "SELECT view_name FROM duckdb_views() WHERE NOT internal"
    made = []
    for path in (older, tmp_path / "new.duckdb"):
        with duckdb.connect(str(path)) as connection:
            made.append([connection.execute(what).fetchall() for what in (tables, indices, views)])
    assert made[0] == made[1]


TO_4 = """
DROP TABLE model_use;
ALTER TABLE effort DROP COLUMN gap;
ALTER TABLE detection DROP COLUMN sensor;
ALTER TABLE detection DROP COLUMN animals;
ALTER TABLE detection DROP COLUMN decided;
ALTER TABLE detection DROP COLUMN hour_known;
DROP TABLE clock_shift;
DROP TABLE shifted_event;
ALTER TABLE event DROP COLUMN blank;
ALTER TABLE event DROP COLUMN decided;
UPDATE schema_version SET version = 4;
"""
TO_3 = (
    TO_4
    + """
DROP TABLE latest;
ALTER TABLE event DROP COLUMN listed_us;
ALTER TABLE detection DROP COLUMN listed_us;
DROP INDEX verdict_event;
ALTER TABLE verdict DROP COLUMN sequence;
CREATE INDEX verdict_event ON verdict (event_id);
UPDATE schema_version SET version = 3;
"""
)


def at(year: int) -> Event:
    clock = Clock(source="system", synchronised=False)
    return msgspec.structs.replace(
        EVENT, event_id=new_event_id(), captured_at=datetime(year, 5, 1, tzinfo=UTC), clock=clock
    )


@pytest.fixture
def of_version_3(tmp_path: Path) -> Path:
    """A file as version 3 had it, with what wrong clocks sent."""
    path = tmp_path / "version-3.duckdb"
    store = DuckDbStore(path)
    now = EVENT.captured_at + timedelta(minutes=1)
    records: list[Storable] = [EVENT, at(1970), at(2025), at(9998), DEPLOYMENT]
    records += [msgspec.structs.replace(HEALTH, at=moment, load_1min=n) for n, moment in enumerate((now, FUTURE))]
    store.write([Received(record, encode(record), now) for record in records])
    store.apply_verdicts([Verdict(EVENT.event_id, 0, "corrected", "animal", "Capreolus pygargus", None, "ranger", now)])
    store.close()
    with duckdb.connect(str(path)) as connection:
        connection.execute(TO_3)
    return path


@pytest.mark.parametrize("read_only", [True, False])
def test_a_file_of_version_3_is_listed_by_receipt_where_clocks_were_wrong(of_version_3: Path, read_only: bool) -> None:
    store = DuckDbStore(of_version_3, read_only=read_only)
    listed = store.listing(EventQuery())
    assert len(listed) == 4
    decided = store.keys(EventQuery(decided=True))
    assert [event_id for _, event_id in decided] == [EVENT.event_id] * (len(EVENT.detections) == 1)
    assert len(decided) + len(store.keys(EventQuery(decided=False))) == 4
    (state,) = store.stations()
    assert state.events == 4
    assert store.deployments() == [DEPLOYMENT]
    if not read_only:
        assert [one.listed_at.year for one in listed] == [2026, 2026, 2026, 2025]
        assert [one.listed_at for one in store.listing(EventQuery(taxa=("Capreolus pygargus",)))] == [EVENT.captured_at]
        assert state.health is not None
        assert state.health.load_1min == 0
        assert state.last_event_at is not None
        assert state.last_event_at.year == 2026
        again = Verdict(EVENT.event_id, 0, "dismissed", "blank", "blank", None, "r", EVENT.captured_at)
        store.apply_verdicts([again])  # older than the one in the file
        assert store.listing(EventQuery(taxa=("Capreolus pygargus",)))
        store.apply_verdicts([replace(again, sequence=again.order + 10**9)])
        assert not store.listing(EventQuery(taxa=("Capreolus pygargus",)))
    store.close()


@pytest.fixture
def of_version_4(tmp_path: Path) -> Path:
    """A file as version 4 had it, with what wrong clocks sent."""
    path = tmp_path / "version-4.duckdb"
    store = DuckDbStore(path)
    now = EVENT.captured_at + timedelta(minutes=1)
    store.write([Received(record, encode(record), now) for record in (EVENT, at(1970), at(2025), at(9998))])
    store.close()
    with duckdb.connect(str(path)) as connection:
        connection.execute(TO_4)
    return path


@pytest.mark.parametrize("read_only", [True, False])
def test_a_file_of_version_4_counts_captures_listed_by_receipt_in_no_hour(of_version_4: Path, read_only: bool) -> None:
    store = DuckDbStore(of_version_4, read_only=read_only)
    query = CountQuery.in_utc(datetime(2025, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))
    counts = store.count(query)
    assert sum(one.detections for one in counts) == 4 * len(EVENT.detections)
    assert sum(one.hour_unknown for one in counts) == 3 * len(EVENT.detections)
    store.close()


def test_a_file_of_version_4_becomes_the_same_as_a_new_one(of_version_4: Path, tmp_path: Path) -> None:
    test_a_file_brought_up_to_date_takes_verdicts_and_captures_as_a_new_one_does(of_version_4, tmp_path)


def test_a_file_of_version_3_becomes_the_same_as_a_new_one(of_version_3: Path, tmp_path: Path) -> None:
    test_a_file_brought_up_to_date_takes_verdicts_and_captures_as_a_new_one_does(of_version_3, tmp_path)


@pytest.fixture
def of_version_2(tmp_path: Path) -> Path:
    """A file as version 2 had it: of version 3 but for the table of deployments."""
    path = tmp_path / "version-2.duckdb"
    store = DuckDbStore(path)
    store.write([Received(EVENT, encode(EVENT), EVENT.captured_at)])
    store.close()
    with duckdb.connect(str(path)) as connection:
        connection.execute(TO_3)
        connection.execute("DROP TABLE deployment")
        connection.execute("UPDATE schema_version SET version = 2")
    return path


def test_a_file_of_version_2_takes_deployments_and_keeps_its_events(of_version_2: Path) -> None:
    store = DuckDbStore(of_version_2)
    assert store.deployments() == []
    store.write([Received(DEPLOYMENT, encode(DEPLOYMENT), DEPLOYMENT.at)])
    assert store.deployments() == [DEPLOYMENT]
    assert store.events(EventQuery()) == [EVENT]
    store.close()


def test_a_file_of_version_2_that_may_only_be_read_has_no_deployments(of_version_2: Path) -> None:
    store = DuckDbStore(of_version_2, read_only=True)
    assert store.deployments() == []
    assert store.events(EventQuery()) == [EVENT]
    store.close()
    with duckdb.connect(str(of_version_2)) as connection:
        assert connection.execute("SELECT version FROM schema_version").fetchall() == [(2,)]


def test_a_thousand_verdicts_at_once_count(tmp_path: Path) -> None:
    store = DuckDbStore(tmp_path / "detections.duckdb")
    events = [msgspec.structs.replace(EVENT, event_id=new_event_id()) for _ in range(1_100)]
    store.write([Received(event, encode(event), EVENT.captured_at) for event in events])
    at = EVENT.captured_at
    store.apply_verdicts(
        [
            Verdict(event.event_id, 0, "corrected", "animal", "Capreolus pygargus", None, "ranger", at)
            for event in events
        ]
    )
    counts = store.count(CountQuery.in_utc(at - timedelta(days=1), at + timedelta(days=1)))
    (row,) = [one for one in counts if one.taxon == "Capreolus pygargus"]
    assert (row.detections, row.events) == (1_100, 1_100)
    found = store.events(
        EventQuery(event_ids=tuple(event.event_id for event in events), taxa=("Capreolus pygargus",), limit=2_000)
    )
    assert {event.event_id for event in found} == {event.event_id for event in events}
    store.close()
