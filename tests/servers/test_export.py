"""A package of a running server's captures, with the verdict that somebody has just given on the page."""

import csv
import json
import urllib.request
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from contract import Location, encode, new_event_id, topic_of
from contract.examples import EVENT
from tests.eventually import eventually
from tests.servers.test_backup import Opened, health, serving, settings
from tests.servers.test_serve import told
from wildpost.backup.copies import backup_lock

__all__ = ["settings"]  # a fixture
PLACE = Location(latitude=31.34567, longitude=117.23456)


def test_a_verdict_on_the_page_is_in_the_package(
    mosquitto: Any, publisher_to: Opened, settings: Path, tmp_path: Path
) -> None:
    data, out = tmp_path / "data", tmp_path / "package"
    now = datetime.now(UTC)
    event = msgspec.structs.replace(EVENT, event_id=new_event_id(), location=PLACE, captured_at=now)
    data.mkdir()
    with serving("serve", settings, data):
        publisher_to(mosquitto.port).publish([(topic_of("wildpost", event.station, "event"), encode(event))])
        eventually(lambda: health(data)["events"] == 1, "the capture is stored")
        address = json.loads((data / "server.json").read_text())["url"]
        body = json.dumps({"event_id": event.event_id, "outcome": "corrected", "ordinals": [1], "taxon": "豹猫"})
        request = urllib.request.Request(
            f"{address}verdicts", body.encode(), {"Origin": address.rstrip("/"), "Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert answer.status == 200
        done = told("export", "camtrap-dp", str(out), "--data", str(data))
        assert done.returncode == 0, done.stderr
        assert "1 deployments, 2 media, 4 observations" in done.stdout
        assert exported("darwin-core", tmp_path / "archive.zip", data) == "1 occurrences, 1 media"
        assert exported("megadetector", tmp_path / "results.json", data) == "1 pictures, 2 detections"
        assert exported("records", tmp_path / "records.csv", data) == "1 records"
        day = now.date().isoformat()
        for name in ("summary.docx", "summary.html"):
            days = ["--from", day, "--to", day, "--time-zone", "UTC"]
            done = told("report", str(tmp_path / name), *days, "--data", str(data))
            assert done.returncode == 0, done.stderr
            assert "1 captures, 1 independent records" in done.stdout
            assert "not recorded, left open: 出动人员（人次）" in done.stdout
        assert "豹猫" in (tmp_path / "summary.html").read_text(encoding="utf-8")
    with (out / "observations.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["observationLevel"] == "media"]
    by_type = {row["observationType"]: row for row in rows}
    assert by_type["human"]["classificationMethod"] == "machine"
    assert by_type["animal"]["classificationMethod"] == "human"
    assert by_type["animal"]["scientificName"] == "Prionailurus bengalensis"
    assert not list(data.glob(".backup-*"))


def exported(form: str, path: Path, data: Path) -> str:
    """Run `wildpost export` in a form; return what it says about the new file, the only one that it leaves."""
    before = set(path.parent.iterdir())
    done = told("export", form, str(path), "--data", str(data))
    assert done.returncode == 0, done.stderr
    assert set(path.parent.iterdir()) - before == {path}
    return done.stdout.strip().removeprefix(f"{path}: ")


def test_a_folder_without_databases_is_named(tmp_path: Path) -> None:
    done = told("export", "camtrap-dp", str(tmp_path / "out"), "--data", str(tmp_path))
    assert done.returncode == 1
    assert "no such database" in done.stderr


def test_an_export_and_a_backup_do_not_delete_each_others_copies(tmp_path: Path) -> None:
    for name in ("detections.duckdb", "casebook.sqlite"):
        (tmp_path / name).touch()
    with backup_lock(tmp_path):
        done = told("export", "camtrap-dp", str(tmp_path / "out"), "--data", str(tmp_path))
    assert done.returncode == 1
    assert "another backup or restore is running" in done.stderr


def test_a_report_with_days_in_the_wrong_order_or_of_another_form_is_refused(tmp_path: Path) -> None:
    for name, first, expected in (
        ("a.pdf", "2026-01-01", "in .docx or .html"),
        ("a.docx", "2026-03-01", "a day not before"),
    ):
        days = ["--from", first, "--to", "2026-02-01"]
        done = told("report", str(tmp_path / name), *days, "--data", str(tmp_path))
        assert done.returncode == 1
        assert expected in done.stderr
