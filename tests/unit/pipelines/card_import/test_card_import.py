"""A card is imported once, by the path that a station's messages take."""

from collections import Counter
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from casebook.casebook import Casebook
from contract import Event
from ingest.store.effort import EffortQuery
from pipelines.card_import.card_files import list_card
from pipelines.card_import.card_import import CardLost
from pipelines.card_import.clock_corrections import KnownTime
from pipelines.card_import.deployments import CardDeployment, Placement
from pipelines.card_import.report import CardReport
from tests.cards import DAY, DEPLOYMENT, GREY, Server, folder_placement, make_card, open_ears, picture
from tests.recordings import pcm, simple_wav


@pytest.fixture
def server(tmp_path: Path) -> Server:
    return Server(tmp_path / "data")


@pytest.fixture
def card(tmp_path: Path) -> Path:
    return tmp_path / "card"


def test_every_capture_of_a_card_becomes_an_event_and_what_is_none_is_named(server: Server, card: Path) -> None:
    expected = make_card(card)
    report, delivery = server.take_in(card)
    events = server.events()
    assert len(events) == expected == report.deployments["ridge-07", "ridge-07-spring"].events
    assert Counter(event.capture for event in events) == {"picture": 12, "film": 1, "sound": 2}
    assert {event.deployment for event in events} == {"ridge-07-spring"}
    assert set(report.aside) == {f"DCIM/100MEDIA/IMG_090{number}.JPG" for number in (4, 5, 6)}
    assert report.repeated == 1 and report.passed_over == {".txt": 1, "@eadir/": 1}
    assert (delivery.undelivered, delivery.problems) == (0, [])
    assert not any((server.data / "cards" / "batches").iterdir())


def test_a_second_import_of_the_same_card_adds_nothing(server: Server, card: Path, tmp_path: Path) -> None:
    expected = make_card(card)
    server.take_in(card)
    before = server.events()
    moved = card.rename(tmp_path / "another mount point")
    report, delivery = server.take_in(moved)
    assert server.events() == before and len(before) == expected
    assert (report.new, report.deployments["ridge-07", "ridge-07-spring"].before) == (0, expected + 1)  # and the copy
    assert (delivery.messages, len(report.aside)) == (0, 3)


def test_a_card_that_is_imported_under_another_name_stays_where_it_is(server: Server, card: Path) -> None:
    make_card(card)
    server.take_in(card)
    before = server.events()
    report, _ = server.take_in(card, Placement(CardDeployment("valley-01", "valley-01-a")))
    assert server.events() == before
    assert report.new == 0 and report.elsewhere["ridge-07", "ridge-07-spring"] > 0


def test_an_import_whose_ledger_is_lost_gives_no_second_event(server: Server, card: Path) -> None:
    expected = make_card(card)
    server.take_in(card)
    for path in (server.data / "cards").glob("ledger.sqlite*"):
        path.unlink()
    server.take_in(card)
    assert len(server.events()) == expected


def test_the_pictures_of_a_burst_are_one_visit(server: Server, card: Path) -> None:
    make_card(card)
    server.take_in(card)
    visits = Counter(event.visit_id for event in server.events() if event.capture == "picture")
    assert sorted(visits.values()) == [1, 1, 1, 3, 3, 3]


def test_a_person_on_a_card_raises_an_alert_although_the_picture_is_old(server: Server, card: Path) -> None:
    make_card(card)
    server.take_in(card)
    with closing(Casebook(f"sqlite:///{server.data}/casebook.sqlite")) as casebook, casebook.engine.connect() as rows:
        flags = rows.execute(text("SELECT count(*) FROM flag")).scalar()
        alerts = rows.execute(text("SELECT kind FROM alert")).scalars().all()
        watched = rows.execute(text("SELECT count(*) FROM heard")).scalar()
    assert flags == 1 and alerts == ["human"]
    assert watched == 0  # nobody must be told that a card is silent


def camera_effort(server: Server) -> dict[str, float]:
    query = EffortQuery(datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC), sensors=("camera",))
    hours: Counter[str] = Counter()
    with server.store() as store:
        for sensor in store.effort(query):
            for one in sensor.intervals:
                hours[one.state] += (one.end - one.start) / timedelta(hours=1)  # type: ignore[assignment]
    return dict(hours)


def test_effort_is_from_the_first_to_the_last_capture_where_no_dates_are_given(server: Server, card: Path) -> None:
    make_card(card)
    report, _ = server.take_in(card)
    assert camera_effort(server) == {"watching": 6.0}
    effort = report.deployments["ridge-07", "ridge-07-spring"].effort
    assert "from the first to the last capture" in effort["camera"] and "recordings" in effort["microphone"]


def test_effort_is_that_of_the_dates_without_the_days_of_faults(server: Server, card: Path) -> None:
    make_card(card)
    faults = ((DAY + timedelta(days=2), DAY + timedelta(days=5)),)
    one = CardDeployment("ridge-07", "a", start=DAY, end=DAY + timedelta(days=40), faults=faults)
    server.take_in(card, Placement(one))
    assert camera_effort(server) == {"watching": 24.0 * 37, "broken": 24.0 * 3}
    picture(card / "later.jpg", DAY + timedelta(days=7), GREY, 77)
    server.take_in(card, Placement(one))
    assert camera_effort(server) == {"watching": 24.0 * 37, "broken": 24.0 * 3}


def test_the_effort_of_a_recorder_is_the_time_of_its_recordings(server: Server, card: Path) -> None:
    make_card(card, visits=1, recordings=2)
    server.take_in(card)
    query = EffortQuery(datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC), sensors=("microphone",))
    with server.store() as store:
        (sensor,) = store.effort(query)
    assert [(one.end - one.start).total_seconds() for one in sensor.intervals] == pytest.approx([2.5, 2.5], abs=0.01)


def test_a_wrong_clock_gives_no_years_of_effort(server: Server, card: Path) -> None:
    picture(card / "a.jpg", DAY, GREY, 1)
    picture(card / "b.jpg", DAY - timedelta(days=4000), GREY, 2)
    report, _ = server.take_in(card)
    assert report.deployments["ridge-07", "ridge-07-spring"].effort["camera"].startswith("not known: 4000 days")
    assert camera_effort(server) == {}


def shots(events: list[Event]) -> list[tuple[datetime, str]]:
    return [(event.captured_at, event.clock.source) for event in events]


def test_one_known_picture_corrects_the_clock_of_its_camera(server: Server, card: Path) -> None:
    for number in range(3):
        picture(card / f"{number}.jpg", DAY + timedelta(minutes=number), GREY, number)
    picture(card / "untimed.jpg", None, GREY, 9)
    late = timedelta(days=3, hours=2)
    report, _ = server.take_in(card, known=[KnownTime("1.JPG", DAY + timedelta(minutes=1) + late)])
    moved = [one for one in shots(server.events()) if one[1] != "copy"]
    assert moved == [(DAY + timedelta(minutes=number) + late, "corrected") for number in range(3)]
    corrections = report.deployments["ridge-07", "ridge-07-spring"].corrections
    assert corrections == ["clock corrected by +3 days, 2:00:00 (1.jpg)"]
    with server.store() as store:
        (deployment,) = store.deployments()
    assert corrections[0] in deployment.comments and deployment.timestamp_issues


def test_a_clock_that_was_reset_is_corrected_and_one_that_ran_is_not(server: Server, card: Path) -> None:
    reset = datetime(2000, 1, 1, 0, 5)  # noqa: DTZ001, as the camera shows it
    picture(card / "0.jpg", reset, GREY, 0)
    picture(card / "1.jpg", reset + timedelta(minutes=1), GREY, 1)
    picture(card / "2.jpg", DAY, GREY, 2)
    server.take_in(card, known=[KnownTime("0.jpg", DAY - timedelta(days=1))])
    assert shots(server.events()) == [
        (DAY - timedelta(days=1), "corrected"),
        (DAY - timedelta(days=1) + timedelta(minutes=1), "corrected"),
        (DAY, "exif"),
    ]


def test_folders_are_deployments_and_a_file_in_none_is_not_imported(server: Server, card: Path) -> None:
    picture(card / "a" / "DCIM" / "1.jpg", DAY, GREY, 1)
    picture(card / "b" / "1.jpg", DAY, GREY, 2)
    picture(card / "c" / "1.jpg", DAY, GREY, 3)
    places = folder_placement(a=CardDeployment("here", "here-1"), b=CardDeployment("there", "there-1"))
    report, _ = server.take_in(card, places)
    assert {(event.station, event.deployment) for event in server.events()} == {
        ("here", "here-1"),
        ("there", "there-1"),
    }
    assert report.unplaced.total() == 1


def test_what_was_examined_before_a_stop_is_kept(server: Server, card: Path) -> None:
    expected = make_card(card)
    seen: list[str] = []
    report, _ = server.take_in(
        card, stopped=lambda: len(seen) >= 4, on_progress=lambda file, _report: seen.append(file.inside)
    )
    assert report.done == 4 and len(server.events()) == 4
    server.take_in(card)
    assert len(server.events()) == expected


def test_a_card_that_can_no_longer_be_read_ends_the_import_and_a_bad_file_does_not(server: Server, card: Path) -> None:
    expected = make_card(card)
    away = card.with_name("away")

    def pull_out(_file: object, report: CardReport) -> None:
        if report.done == 3:
            card.rename(away)

    with pytest.raises(CardLost, match="can no longer be read"):
        server.take_in(card, on_progress=pull_out)
    away.rename(card)

    def remove(_file: object, report: CardReport) -> None:
        if report.done == 1:
            (card / "DCIM" / "100MEDIA" / "IMG_0900.JPG").unlink()

    report, _ = server.take_in(card, on_progress=remove)
    assert len(server.events()) == expected - 1
    assert report.aside["DCIM/100MEDIA/IMG_0900.JPG"].endswith("No such file or directory")


def test_a_long_recording_gives_an_event_for_each_stretch_and_leaves_no_temporary_file(
    server: Server, card: Path
) -> None:
    card.mkdir()
    (card / "20260502_060000.WAV").write_bytes(simple_wav(pcm(25.0)))
    server.take_in(card, stretch_s=1.0)
    events = server.events()
    assert len(events) == 25 and len({event.media[0].sha256 for event in events}) == 1
    assert events[24].captured_at - events[0].captured_at == timedelta(seconds=24)
    assert not any((server.data / "cards" / "spool").iterdir())


def test_pictures_without_a_detector_are_imported_when_there_is_one(server: Server, card: Path) -> None:
    expected = make_card(card, visits=1)
    report, _ = server.take_in(card, detectors=open_ears)
    assert report.new == 2 and [event.capture for event in server.events()] == ["sound", "sound"]
    assert report.aside["DCIM/100MEDIA/IMG_0001.JPG"] == "IMG_0001.JPG: there is no detector for a picture"
    server.take_in(card)
    assert len(server.events()) == expected


def test_families_are_left_out_and_counted(card: Path) -> None:
    make_card(card, visits=1)
    listing = list_card(card, Placement(DEPLOYMENT))
    pictures = sum(file.family == "picture" for file in listing.files)
    listing.leave_out({"picture"})
    assert {file.family for file in listing.files} == {"film", "recording"}
    assert listing.passed_over["pictures without a detector"] == pictures > 0
