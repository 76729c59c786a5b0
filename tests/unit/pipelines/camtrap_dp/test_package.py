"""A Camtrap DP package of a server's captures: valid by the official schemas, with people's verdicts in it."""

import csv
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import frictionless
import msgspec
import pytest

from casebook.casebook import Casebook
from casebook.clock_shifts import ClockShift
from casebook.verdicts import Verdict
from contract import Box, Clock, Detection, Event, Location, encode, new_event_id
from contract.examples import DEPLOYMENT, EVENT
from contract.messages import ClockSource
from ingest.store.duckdb.store import DuckDbStore
from ingest.store.port import EventQuery, Received
from pipelines.camtrap_dp.descriptor import PackageInfo
from pipelines.camtrap_dp.package import ExportOptions, NothingToExport, write_package

INFO = PackageInfo("West Lakeshore 西岸", "County wildlife team", software_version="0.0")
NOON = datetime(2026, 5, 31, 4, tzinfo=UTC)
PLACE = Location(latitude=31.34567, longitude=117.23456)


class Site:
    """A detection store and a casebook with captures."""

    def __init__(self, folder: Path) -> None:
        self.store = DuckDbStore(folder / "detections.duckdb")
        self.casebook = Casebook(f"sqlite:///{folder / 'casebook.sqlite'}")

    def capture(
        self, *labels: str, minutes: float = 0, visit: str | None = None, place: Location | None = PLACE
    ) -> Event:
        kinds = {"person": "human", "car": "vehicle"}
        event = msgspec.structs.replace(
            EVENT,
            event_id=new_event_id(),
            captured_at=NOON + timedelta(minutes=minutes),
            visit_id=visit,
            location=place,
            detections=tuple(
                Detection(
                    ordinal=number,
                    label=label,
                    observation_type=kinds.get(label, "animal"),  # type: ignore[arg-type]
                    confidence=0.8 + number / 100,
                    model="wildpost-nano",
                    box=Box(0.1, 0.2, 0.3, 0.4),
                )
                for number, label in enumerate(labels)
            ),
        )
        self.store.write([Received(event, encode(event), event.captured_at)])
        return event

    def decide(self, event: Event, outcome: str, label: str = "", ordinal: int = 0) -> None:
        kind = "blank" if outcome == "dismissed" else "animal"
        verdict = Verdict(event.event_id, ordinal, outcome, kind, label, None, "李巡护", NOON)  # type: ignore[arg-type]
        self.casebook.record_verdict(verdict)

    def export(self, folder: Path, **options: object) -> tuple[list[dict[str, str]], Path]:
        write_package(folder, self.store, self.casebook, INFO, ExportOptions(**options))  # type: ignore[arg-type]
        return read(folder / "observations.csv"), folder


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    yield made
    made.store.close()
    made.casebook.close()


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def of_level(rows: list[dict[str, str]], level: str) -> list[dict[str, str]]:
    return [row for row in rows if row["observationLevel"] == level]


def assert_valid(folder: Path, schemas: Path) -> None:
    """Validate the three tables and the links between them by the official schemas."""
    descriptor = json.loads((folder / "datapackage.json").read_text(encoding="utf-8"))
    for resource in descriptor["resources"]:
        # The same schemas, read from files instead of from the network.
        schema = (schemas / f"{resource['name']}-table-schema.json").read_text(encoding="utf-8")
        resource["schema"] = json.loads(schema)
    del descriptor["profile"]
    package = frictionless.Package.from_descriptor(descriptor, basepath=str(folder))
    report = package.validate()
    assert report.valid, report.flatten(["rowNumber", "fieldName", "message"])[:10]


def test_a_package_is_valid_by_the_official_schemas(site: Site, tmp_path: Path, shared_data: Path) -> None:
    site.capture("wild boar", "person", minutes=1)
    site.capture(minutes=2)
    site.capture("car", minutes=3, visit=new_event_id())
    deployment = msgspec.structs.replace(DEPLOYMENT, station=EVENT.station, deployment=EVENT.deployment)
    site.store.write([Received(deployment, encode(deployment), NOON)])
    _, folder = site.export(tmp_path / "out")
    assert_valid(folder, shared_data / "reference" / "camtrap-dp")


def test_the_descriptor_meets_the_official_profile(site: Site, tmp_path: Path, shared_data: Path) -> None:
    site.capture("wild boar")
    _, folder = site.export(tmp_path / "out")
    descriptor = json.loads((folder / "datapackage.json").read_text(encoding="utf-8"))
    profile = json.loads((shared_data / "reference" / "camtrap-dp" / "camtrap-dp-profile.json").read_text())
    own = profile["allOf"][1]
    assert set(own["required"]) <= set(descriptor)
    assert set(own["properties"]["project"]["required"]) <= set(descriptor["project"])
    assert descriptor["taxonomic"] == [
        {"scientificName": "Sus scrofa", "taxonRank": "species", "vernacularNames": {"zho": "野猪", "eng": "wild boar"}}
    ]
    assert descriptor["temporal"] == {"start": "2026-05-31", "end": "2026-05-31"}


@pytest.mark.parametrize(("source", "issues"), [("name", ""), ("exif", ""), ("copy", "true"), ("none", "true")])
def test_a_deployment_with_unknown_times_says_so_and_does_not_begin_in_1970(
    source: ClockSource, issues: str, site: Site, tmp_path: Path
) -> None:
    event = msgspec.structs.replace(site.capture("wild boar"), event_id=new_event_id())
    clock = Clock(source=source, synchronised=False)
    captured_at = datetime(1970, 1, 1, tzinfo=UTC) if source == "none" else NOON
    wrong = msgspec.structs.replace(event, clock=clock, captured_at=captured_at)
    site.store.write([Received(wrong, encode(wrong), NOON)])
    _, folder = site.export(tmp_path / "out")
    (row,) = read(folder / "deployments.csv")
    assert row["timestampIssues"] == issues
    assert row["deploymentStart"] == "2026-05-31T04:00:00Z"
    assert f"time: {source}" in " ".join(media["mediaComments"] for media in read(folder / "media.csv"))


def test_a_corrected_clock_counts_in_the_package(site: Site, tmp_path: Path) -> None:
    event = site.capture("wild boar")
    hour = timedelta(hours=1)
    site.store.set_clock_shifts(
        [ClockShift("1", event.station, event.sensor, NOON, NOON + hour, -2 * hour, "summer time", "Li", NOON)]
    )
    rows, folder = site.export(tmp_path / "out")
    assert {row["eventStart"] for row in rows} == {"2026-05-31T02:00:00Z"}
    assert read(folder / "deployments.csv")[0]["deploymentStart"] == "2026-05-31T02:00:00Z"
    assert all("time: corrected" in media["mediaComments"] for media in read(folder / "media.csv"))


def test_a_verdict_of_a_person_is_the_observation(site: Site, tmp_path: Path) -> None:
    site.decide(site.capture("animal"), "corrected", "豹猫")
    rows, _ = site.export(tmp_path / "out")
    assert len(rows) == 2
    for row in rows:
        assert row["scientificName"] == "Prionailurus bengalensis"
        assert (row["classificationMethod"], row["classifiedBy"]) == ("human", "李巡护")
        assert row["classificationTimestamp"] == "2026-05-31T04:00:00Z"
        assert row["classificationProbability"] == ""
        assert "machine:wildpost-nano 1 0.80" in row["observationTags"]


def test_a_machines_detection_has_its_confidence_and_its_accepted_name(site: Site, tmp_path: Path) -> None:
    site.capture("wild_boar")
    rows, _ = site.export(tmp_path / "out")
    (media,) = of_level(rows, "media")
    assert (media["scientificName"], media["classificationProbability"]) == ("Sus scrofa", "0.8")
    assert (media["classificationMethod"], media["classifiedBy"]) == ("machine", "wildpost-nano 1")
    assert (media["bboxX"], media["bboxHeight"]) == ("0.1", "0.4")


def test_dismissed_detections_leave_a_blank_by_the_person(site: Site, tmp_path: Path) -> None:
    event = site.capture("wild boar", "fox")
    for ordinal in (0, 1):
        site.decide(event, "dismissed", ordinal=ordinal)
    rows, _ = site.export(tmp_path / "out")
    assert [(row["observationType"], row["classifiedBy"]) for row in rows] == [("blank", "李巡护")] * 2


def test_a_visit_counts_the_largest_group_of_one_capture(site: Site, tmp_path: Path) -> None:
    visit = new_event_id()
    site.capture("wild boar", "wild boar", minutes=0, visit=visit)
    site.capture("野猪", "Sus scrofa", "boar", minutes=1, visit=visit)
    site.capture(minutes=2, visit=visit)
    rows, _ = site.export(tmp_path / "out")
    events = of_level(rows, "event")
    assert [(row["scientificName"], row["count"]) for row in events] == [("Sus scrofa", "3")]
    assert (events[0]["eventStart"], events[0]["eventEnd"]) == ("2026-05-31T04:00:00Z", "2026-05-31T04:02:00Z")


def test_a_visit_across_pages_is_one_event(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.camtrap_dp.package.PAGE", 2)
    visits = [new_event_id() for _ in range(5)]
    for number, visit in enumerate(visits):
        for minute in range(3):
            site.capture("fox", minutes=minute + 120 * number, visit=visit)
    rows, _ = site.export(tmp_path / "out")
    assert sorted(row["eventID"] for row in of_level(rows, "event")) == sorted(visits)
    assert len(of_level(rows, "media")) == 15


def test_positions_are_coarse_unless_exact_is_asked_for(site: Site, tmp_path: Path) -> None:
    site.capture("wild boar")
    rounded = read(site.export(tmp_path / "a")[1] / "deployments.csv")[0]
    assert (rounded["latitude"], rounded["longitude"]) == ("31.35", "117.23")
    assert 500 < int(rounded["coordinateUncertainty"]) < 1_000
    exact = read(site.export(tmp_path / "b", exact=True)[1] / "deployments.csv")[0]
    assert (exact["latitude"], exact["longitude"]) == ("31.34567", "117.23456")


def test_a_protected_animal_makes_positions_coarser(site: Site, tmp_path: Path) -> None:
    site.capture("snow leopard")
    row = read(site.export(tmp_path / "out")[1] / "deployments.csv")[0]
    assert (row["latitude"], row["longitude"]) == ("31.3", "117.2")
    assert int(row["coordinateUncertainty"]) > 5_000


def test_captures_without_a_position_are_counted_or_placed(site: Site, tmp_path: Path) -> None:
    site.capture("fox", place=None)
    with pytest.raises(NothingToExport, match="no position is known of lake-07:lake-07-2026:camera"):
        site.export(tmp_path / "a")
    rows, _ = site.export(tmp_path / "b", place=PLACE)
    assert len(rows) == 2


def test_only_the_period_asked_for_is_exported(site: Site, tmp_path: Path) -> None:
    site.capture("fox")
    site.capture("fox", minutes=60)
    rows, _ = site.export(tmp_path / "out", query=EventQuery(start=NOON + timedelta(minutes=30)))
    assert len(of_level(rows, "media")) == 1


def test_a_folder_that_is_not_empty_is_refused(site: Site, tmp_path: Path) -> None:
    site.capture("fox")
    with pytest.raises(NothingToExport, match="not empty"):
        site.export(tmp_path)


def test_paths_of_originals_cannot_leave_the_package(site: Site, tmp_path: Path) -> None:
    event = site.capture("fox")
    hostile = msgspec.structs.replace(
        event,
        event_id=new_event_id(),
        media=(msgspec.structs.replace(event.media[0], name="../../etc/passwd"),),
    )
    site.store.write([Received(hostile, encode(hostile), NOON)])
    _, folder = site.export(tmp_path / "out")
    paths = [row["filePath"] for row in read(folder / "media.csv")]
    assert not [path for path in paths if ".." in path or path.startswith(("/", "~", "."))]


def test_remarks_of_all_tables_say_what_is_simulated(site: Site, tmp_path: Path) -> None:
    real = site.capture("wild boar")
    simulated = msgspec.structs.replace(real, event_id=new_event_id(), station="sim-001", simulated=True)
    site.store.write([Received(simulated, encode(simulated), NOON)])
    rows, folder = site.export(tmp_path / "out")
    remarks = {
        "deployments": [row["deploymentComments"] for row in read(folder / "deployments.csv")],
        "media": [row["mediaComments"] for row in read(folder / "media.csv")],
        "observations": [row["observationComments"] for row in rows],
    }
    for table, texts in remarks.items():
        marked = [text for text in texts if text.startswith("simulated")]
        assert len(marked) == len(texts) / 2 > 0, table
