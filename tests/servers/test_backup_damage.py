"""Backups that are cut, damaged, made by others or restored to the wrong place: each is refused, saying why."""

import hashlib
import io
import random
import tarfile
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from casebook.casebook import Casebook
from casebook.records import MediaEntry
from casebook.snapshot import SqliteCasebookSnapshot
from casebook.verdicts import Verdict
from contract import encode
from contract.errors import StoreUnavailable
from contract.examples import EVENT
from ingest.media.folder import FolderMedia
from ingest.store.duckdb.store import DuckDbStore
from ingest.store.port import Received
from wildpost.backup.create import BackupPlan, make_backup
from wildpost.backup.errors import BadArchive, CannotBackUp
from wildpost.backup.restore import check, restore
from wildpost.cli.main import main
from wildpost.settings.server import ServerSettings

NOW = datetime(2026, 4, 12, tzinfo=UTC)
THUMBNAILS = [f"thumbnail {number}".encode() * 30 for number in range(4)]


def fill(data: Path) -> None:
    """A small server's data."""
    data.mkdir()
    store = DuckDbStore(data / "detections.duckdb")
    store.write([Received(EVENT, encode(EVENT), NOW)])
    store.close()
    casebook = Casebook(f"sqlite:///{data}/casebook.sqlite")
    folder = FolderMedia(data / "media")
    for content in THUMBNAILS:
        name = hashlib.sha256(content).hexdigest()
        folder.put(content, name)
        casebook.add_media([MediaEntry(EVENT.event_id, name, "image/jpeg", "thumbnail", len(content), "lake-07", NOW)])
    casebook.close()


def plan(data: Path, broker: Path | None = None) -> BackupPlan:
    return BackupPlan(data, ServerSettings(), None, broker)


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    fill(tmp_path / "data")
    return make_backup(plan(tmp_path / "data"), tmp_path / "all.tar").path


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_an_archive_cut_anywhere_is_refused_and_leaves_nothing(archive: Path, tmp_path: Path) -> None:
    whole = archive.read_bytes()
    end = whole.rindex(b'"rows"')  # after this come the last line's end and padding alone
    chance = random.Random(28)
    for length in [0, 1, 511, 512, 513, 1024, end, *chance.sample(range(end), 40)]:
        archive.write_bytes(whole[:length])
        (tmp_path / "new").mkdir(exist_ok=True)
        with pytest.raises(BadArchive, match=f"{archive}: .*"):
            restore(archive, tmp_path / "new")
        assert list((tmp_path / "new").iterdir()) == []


def test_an_archive_with_any_byte_changed_is_refused_or_restores_the_very_same(archive: Path, tmp_path: Path) -> None:
    whole = archive.read_bytes()
    (tmp_path / "right").mkdir()
    restore(archive, tmp_path / "right")
    right = contents(tmp_path / "right")
    chance = random.Random(29)
    refused = 0
    for number, place in enumerate(chance.sample(range(len(whole)), 60)):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << chance.randrange(8)
        archive.write_bytes(damaged)
        folder = tmp_path / f"new-{number}"
        folder.mkdir()
        try:
            restore(archive, folder)
        except BadArchive as error:
            refused += 1
            assert str(archive) in str(error)
            assert list(folder.iterdir()) == []
        else:
            assert contents(folder) == right
    assert refused > 30, "most of an archive is content"


def test_the_entry_that_is_damaged_is_named(archive: Path, tmp_path: Path) -> None:
    whole = archive.read_bytes()
    name = hashlib.sha256(THUMBNAILS[2]).hexdigest()
    archive.write_bytes(whole.replace(THUMBNAILS[2], THUMBNAILS[2].upper()))
    with pytest.raises(BadArchive, match=name):
        check(archive)
    with tarfile.open(fileobj=io.BytesIO(whole)) as tar:
        place = tar.getmember("casebook.sqlite").offset_data
    archive.write_bytes(whole[: place + 5000] + b"?" + whole[place + 5001 :])
    with pytest.raises(BadArchive, match=r"casebook\.sqlite has .* the manifest has"):
        check(archive)


def test_an_archive_without_one_of_its_entries_is_refused(archive: Path, tmp_path: Path) -> None:
    with tarfile.open(archive) as whole, tarfile.open(tmp_path / "less.tar", "w") as less:
        for number, member in enumerate(whole):
            if number != 4:
                less.addfile(member, whole.extractfile(member))
    with pytest.raises(BadArchive, match=r"less\.tar: .* the manifest has"):
        check(tmp_path / "less.tar")


@pytest.mark.parametrize("name", ["../escape", "/etc/escape", "settings/../../escape", "media/ab/escape", "escape"])
def test_an_archive_that_would_write_elsewhere_is_refused(name: str, archive: Path, tmp_path: Path) -> None:
    with tarfile.open(archive) as whole, tarfile.open(tmp_path / "bad.tar", "w") as bad:
        bad.addfile(first := whole.next(), whole.extractfile(first))  # type: ignore[arg-type]
        member = tarfile.TarInfo(name)
        member.size = 3
        bad.addfile(member, io.BytesIO(b"bad"))
    (tmp_path / "deep" / "new").mkdir(parents=True)
    with pytest.raises(BadArchive, match="is not part of a backup"):
        restore(tmp_path / "bad.tar", tmp_path / "deep" / "new")
    assert not list(tmp_path.rglob("escape"))


@pytest.mark.parametrize("content", [b"", b"no archive at all" * 100, b"\0" * 20000])
def test_what_is_no_backup_is_refused(content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bad.tar").write_bytes(content)
    assert main(["restore", str(tmp_path / "bad.tar"), "--data", str(tmp_path / "new")]) == 1
    assert "not a backup of Wildpost" in capsys.readouterr().err


def test_a_backup_of_a_later_form_asks_for_the_newer_wildpost(tmp_path: Path) -> None:
    about = b'{"format": 3, "wildpost": "9.1", "made_at": "2031-01-01T00:00:00+00:00", "new": true}'
    with tarfile.open(tmp_path / "later.tar", "w") as tar:
        member = tarfile.TarInfo("wildpost-backup.json")
        member.size = len(about)
        tar.addfile(member, io.BytesIO(about))
    with pytest.raises(BadArchive, match=r"format 3, made by Wildpost 9\.1; this version reads formats up to 2"):
        check(tmp_path / "later.tar")


def test_a_folder_that_is_not_empty_is_left_as_it_is(archive: Path, tmp_path: Path) -> None:
    with pytest.raises(CannotBackUp, match=r"data: not empty, it contains casebook\.sqlite, detections\.duckdb, media"):
        restore(archive, tmp_path / "data")
    (tmp_path / "disk" / "lost+found").mkdir(parents=True)
    restore(archive, tmp_path / "disk")
    assert (tmp_path / "disk" / "detections.duckdb").exists()


def test_what_a_killed_restore_left_is_cleared_away(archive: Path, tmp_path: Path) -> None:
    left = tmp_path / "new" / ".restoring-abc" / "media"
    left.mkdir(parents=True)
    restore(archive, tmp_path / "new")
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == [
        "casebook.sqlite",
        "detections.duckdb",
        "media",
    ]


def test_a_check_verifies_and_writes_nothing(
    archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "scratch").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "scratch"))
    assert main(["restore", "--check", str(archive)]) == 0
    said = capsys.readouterr().out
    assert f"detections.duckdb: detection 2, event 1, model_use {len(EVENT.models)}, schema_version 1" in said
    assert "media: 4 files; the casebook refers to 4" in said
    assert list((tmp_path / "scratch").iterdir()) == []


def test_media_that_rotted_or_went_are_counted_and_all_else_is_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(tmp_path / "data")
    rotten, gone = (hashlib.sha256(content).hexdigest() for content in THUMBNAILS[:2])
    (tmp_path / "data" / "media" / rotten[:2] / rotten).write_bytes(b"rot")
    (tmp_path / "data" / "media" / gone[:2] / gone).unlink()
    (tmp_path / "data" / "media" / ".half-written").write_bytes(b"x")
    assert main(["backup", str(tmp_path / "all.tar"), "--data", str(tmp_path / "data"), "--unencrypted"]) == 1
    said = capsys.readouterr().err
    assert "1 media that the casebook refers to were missing" in said
    assert f"1 media are damaged on the server's disk and were left out: {rotten}" in said
    totals = check(tmp_path / "all.tar").totals
    assert (totals.media, totals.media_named, totals.media_missing) == (2, 4, 1)


def test_a_backup_overwrites_nothing_and_leaves_nothing_half_made(archive: Path, tmp_path: Path) -> None:
    before = archive.read_bytes()
    with pytest.raises(FileExistsError, match="a backup does not overwrite files"):
        make_backup(plan(tmp_path / "data"), archive)
    assert archive.read_bytes() == before
    (tmp_path / "data" / "casebook.sqlite").write_bytes(b"no database" * 1000)
    with pytest.raises(StoreUnavailable, match="casebook"):
        make_backup(plan(tmp_path / "data"), tmp_path / "second.tar")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["all.tar", "data"]
    assert not list((tmp_path / "data").glob(".backup-*"))


def test_an_empty_folder_is_no_server(tmp_path: Path) -> None:
    with pytest.raises(
        CannotBackUp, match=r"casebook\.sqlite: no such file; name the server's data folder with --data DIR"
    ):
        make_backup(plan(tmp_path), tmp_path / "all.tar")
    assert list(tmp_path.iterdir()) == []


def test_the_files_of_the_broker_are_kept_when_asked_for(tmp_path: Path) -> None:
    fill(tmp_path / "data")
    (tmp_path / "broker" / "stations" / "湖-07").mkdir(parents=True)
    (tmp_path / "broker" / "mosquitto.conf").write_text("listener 8883\n")
    (tmp_path / "broker" / "ca.key").write_text("secret")
    (tmp_path / "broker" / "stations" / "湖-07" / "station.toml").write_text("x = 1")
    made = make_backup(plan(tmp_path / "data", tmp_path / "broker"), tmp_path / "all.tar")
    (tmp_path / "new").mkdir()
    restore(made.path, tmp_path / "new")
    assert contents(tmp_path / "new" / "broker") == contents(tmp_path / "broker")
    assert (tmp_path / "new" / "broker" / "ca.key").stat().st_mode & 0o777 == 0o600


def test_a_folder_without_a_broker_is_refused_before_a_backup_lacks_one(tmp_path: Path) -> None:
    fill(tmp_path / "data")
    with pytest.raises(CannotBackUp, match=r"--broker .*/mosquito: contains no mosquitto\.conf"):
        make_backup(plan(tmp_path / "data", tmp_path / "mosquito"), tmp_path / "all.tar")
    assert not (tmp_path / "all.tar").exists()


def test_a_verdict_under_way_while_the_backup_was_made_is_handed_over_again(tmp_path: Path) -> None:
    fill(tmp_path / "data")
    casebook = Casebook(f"sqlite:///{tmp_path}/data/casebook.sqlite")
    verdicts = [Verdict(EVENT.event_id, n, "dismissed", "blank", "blank", None, "ranger", NOW) for n in (0, 1)]
    verdicts = casebook.record_verdicts(verdicts)
    casebook.mark_applied(verdicts[:1])
    moment = SqliteCasebookSnapshot(tmp_path / "data" / "casebook.sqlite")
    # Between the detections' moment and the casebook's, the second reaches the store and is marked.
    casebook.mark_applied(verdicts[1:])
    moment.hold()
    moment.write(tmp_path / "copy.sqlite")
    moment.close()
    casebook.close()
    copy = Casebook(f"sqlite:///{tmp_path}/copy.sqlite")
    assert copy.unapplied_verdicts() == verdicts[1:]
    copy.close()


def test_what_is_written_after_the_moment_is_not_in_it(tmp_path: Path) -> None:
    fill(tmp_path / "data")
    store = DuckDbStore(tmp_path / "data" / "detections.duckdb")
    moment = store.snapshot(tmp_path / "copy.duckdb")
    later = msgspec.structs.replace(EVENT, event_id="0195d0a1-0000-7000-8000-0000000000aa")
    store.write([Received(later, encode(later), NOW)])
    assert moment.write()["event"] == 1
    moment.close()
    assert store.stations()[0].events == 2
    store.close()
