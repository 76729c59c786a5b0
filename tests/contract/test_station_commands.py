"""What stations are told is recorded once, sent in order, and ends in one state; in SQLite and PostgreSQL."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from casebook.awaited_originals import ALL_AWAITED_BYTES, AWAITED_BYTES
from casebook.chain_runs import Linked
from casebook.event_chain import ChainedEvent, EventChains
from casebook.incidents.database import Database
from casebook.media_parts import MediaParts
from casebook.station_commands import (
    GIVEN_UP_AFTER,
    MOST_UNDER_WAY,
    RESEND_AFTER,
    CommandRefused,
    StationCommand,
    StationCommands,
)
from contract.commands import MOST_ORIGINAL_BYTES, PART_BYTES, AnswerState, MediaRequest
from contract.examples import ANSWER, MEDIA_PART

NOW = datetime(2026, 5, 1, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def commands(database: Database) -> StationCommands:
    return StationCommands(database)


def answer(commands: StationCommands, to: StationCommand, state: AnswerState, **more: object) -> None:
    serial = to.serial or 1
    given = msgspec.structs.replace(
        ANSWER, station=to.station, nonce=to.nonce, kind=to.kind, state=state, serial=serial, **more
    )
    commands.record([(given, NOW)])


def state(commands: StationCommands, asked: StationCommand) -> str:
    return next(one.state for one in commands.latest() if one.number == asked.number)


def test_of_one_station_the_next_is_due_when_the_one_before_has_an_answer(commands: StationCommands) -> None:
    first, second = (commands.ask("lake-07", "status", "{}", "a", NOW, DAY) for _ in range(2))
    other = commands.ask("ridge-01", "status", "{}", "a", NOW, DAY)
    settings = commands.ask("lake-07", "settings", "{}", "a", NOW, DAY)
    assert {one.number for one in commands.due(NOW)} == {first.number, other.number, settings.number}
    commands.sent(first.number, NOW)
    assert first.number not in {one.number for one in commands.due(NOW)}
    assert first.number in {one.number for one in commands.due(NOW + RESEND_AFTER)}
    answer(commands, first, "accepted")
    assert second.number in {one.number for one in commands.due(NOW)}


def test_a_command_without_an_answer_expires_and_one_that_is_being_done_does_not(commands: StationCommands) -> None:
    first = commands.ask("lake-07", "media", "{}", "a", NOW, DAY, ("event", "hash"))
    second = commands.ask("lake-07", "status", "{}", "a", NOW, DAY)
    answer(commands, first, "accepted")
    assert commands.due(NOW + DAY) == []
    assert (state(commands, first), state(commands, second)) == ("accepted", "expired")


def test_a_final_answer_stays(commands: StationCommands) -> None:
    asked = commands.ask("lake-07", "restart-capture", "{}", "a", NOW, DAY)
    for given in ("accepted", "done", "accepted", "failed"):
        answer(commands, asked, given)
    assert state(commands, asked) == "done"


def test_an_answer_of_another_station_or_with_a_foreign_key_changes_nothing(
    commands: StationCommands, database: Database
) -> None:
    asked = commands.ask("lake-07", "status", "{}", "a", NOW, DAY)
    answer(commands, replace(asked, station="ridge-01"), "done")
    own = "B" * 43 + "="
    link = Linked(1, "0" * 64, "1" * 64, NOW)
    EventChains(database).record([ChainedEvent("lake-07", "e", "c", own, link, valid=True)])
    answer(commands, asked, "done")
    assert state(commands, asked) == "asked"
    answer(commands, asked, "done", key=own)
    assert state(commands, asked) == "done"


def test_serials_rise_also_after_a_restored_backup_and_a_clock_that_goes_back(commands: StationCommands) -> None:
    asked = commands.ask("lake-07", "status", "{}", "a", NOW, DAY)
    serial = commands.next_serial(asked, NOW)
    assert serial == int(NOW.timestamp() * 1000)
    commands.seal(asked.number, serial, b"envelope")
    assert commands.next_serial(asked, NOW - DAY) == serial + 1
    assert commands.due(NOW)[0].envelope == b"envelope"


def test_new_settings_replace_those_without_an_answer(commands: StationCommands) -> None:
    first = commands.ask("lake-07", "settings", '{"a":1}', "a", NOW, DAY)
    second = commands.ask("lake-07", "settings", '{"a":2}', "a", NOW, DAY)
    assert (state(commands, first), [one.number for one in commands.due(NOW)]) == ("superseded", [second.number])
    assert commands.desired_settings()["lake-07"].payload == '{"a":2}'


def test_settings_are_reported_and_an_older_report_does_not_replace_them(commands: StationCommands) -> None:
    asked = commands.ask("lake-07", "settings", "{}", "a", NOW, DAY)
    answer(commands, asked, "accepted", at=NOW, result='{"x":0}')
    assert commands.reported() == {}
    answer(commands, asked, "done", at=NOW, result='{"x":1}')
    answer(commands, asked, "done", at=NOW - DAY, result='{"x":2}')
    assert commands.reported()["lake-07"].settings == '{"x":1}'


def test_a_report_with_a_time_in_the_future_is_replaced_by_the_next(commands: StationCommands) -> None:
    asked = commands.ask("lake-07", "settings", "{}", "a", NOW, DAY)
    answer(commands, asked, "done", at=NOW + 9 * DAY, result='{"x":1}')
    answer(commands, asked, "done", at=NOW, result='{"x":2}')
    assert (commands.reported()["lake-07"].settings, commands.reported()["lake-07"].at) == ('{"x":2}', NOW)


def test_originals_on_their_way_have_a_bound_for_each_station_and_for_all(commands: StationCommands) -> None:
    largest = f'{{"size":{MOST_ORIGINAL_BYTES}}}'
    stations = [f"lake-{number}" for number in range(ALL_AWAITED_BYTES // AWAITED_BYTES)]
    for station in stations:
        for number in range(AWAITED_BYTES // MOST_ORIGINAL_BYTES):
            commands.ask(station, "media", largest, "a", NOW, DAY, (f"{station} {number}", "hash"))
        with pytest.raises(CommandRefused, match="originals of 640 MB would be on their way"):
            commands.ask(station, "media", '{"size":1}', "a", NOW, DAY, ("one more", "hash"))
    commands.ask("ridge-01", "media", largest, "a", NOW, DAY, ("first", "hash"))
    commands.ask("ridge-01", "media", largest, "a", NOW, DAY, ("second", "hash"))
    with pytest.raises(CommandRefused, match="and 4032 MB of all stations"):
        commands.ask("ridge-01", "media", largest, "a", NOW, DAY, ("third", "hash"))
    commands.ask("ridge-01", "status", "{}", "a", NOW, DAY)
    commands.came("lake-0", "lake-0 0", "hash", NOW)
    commands.ask("ridge-01", "media", largest, "a", NOW, DAY, ("third", "hash"))


def test_an_original_is_asked_for_once_at_a_time(commands: StationCommands) -> None:
    first = commands.ask("lake-07", "media", "{}", "a", NOW, DAY, ("event", "hash"))
    assert commands.ask("lake-07", "media", "{}", "b", NOW, DAY, ("event", "hash")).number == first.number
    commands.came("lake-07", "event", "hash", NOW)
    found = commands.of_event("event")
    assert found is not None and found.state == "done"
    assert commands.ask("lake-07", "media", "{}", "b", NOW, DAY, ("event", "hash")).number != first.number


def test_more_than_a_person_asks_for_is_refused(commands: StationCommands) -> None:
    for _ in range(MOST_UNDER_WAY):
        commands.ask("lake-07", "status", "{}", "a", NOW, DAY)
    with pytest.raises(CommandRefused, match="200 commands are under way"):
        commands.ask("lake-07", "status", "{}", "a", NOW, DAY)
    commands.ask("ridge-01", "status", "{}", "a", NOW, DAY)


def test_only_parts_with_the_size_that_was_asked_for_are_awaited(commands: StationCommands) -> None:
    part = MEDIA_PART
    assert not commands.is_awaited(part)
    request = MediaRequest(event_id=part.event_id, sensor="c", sha256=part.sha256, size=part.size, name="a")
    payload = msgspec.json.encode(request).decode()
    commands.ask(part.station, "media", payload, "a", NOW, DAY, (part.event_id, part.sha256))
    assert commands.is_awaited(part)
    assert not commands.is_awaited(msgspec.structs.replace(part, size=part.size + 1))
    assert not commands.is_awaited(msgspec.structs.replace(part, station="ridge-01"))
    commands.came(part.station, part.event_id, part.sha256, NOW)
    assert not commands.is_awaited(part)


def test_what_is_never_finished_is_given_up_and_its_parts_are_deleted(
    commands: StationCommands, database: Database
) -> None:
    part, parts = MEDIA_PART, MediaParts(database)
    asked = commands.ask(part.station, "media", "{}", "a", NOW, DAY, (part.event_id, part.sha256))
    answer(commands, asked, "accepted")
    parts.add(part)
    commands.due(NOW + GIVEN_UP_AFTER - DAY)
    parts.delete_abandoned()
    assert parts.whole(part.station, part.sha256) == part.data
    commands.due(NOW + GIVEN_UP_AFTER)
    assert state(commands, asked) == "expired"
    parts.delete_abandoned()
    assert parts.whole(part.station, part.sha256) == b""


def test_parts_in_any_order_and_twice_make_the_whole(database: Database) -> None:
    parts, data = MediaParts(database), bytes(range(256)) * 1000
    of = [
        msgspec.structs.replace(MEDIA_PART, size=len(data), offset=offset, data=data[offset : offset + PART_BYTES])
        for offset in range(0, len(data), PART_BYTES)
    ]
    assert len(of) == 2 and [parts.add(one) for one in (of[1], of[1], of[0])] == [False, False, True]
    assert parts.whole(MEDIA_PART.station, MEDIA_PART.sha256) == data
    parts.delete(MEDIA_PART.station, MEDIA_PART.sha256)
    assert parts.whole(MEDIA_PART.station, MEDIA_PART.sha256) == b""
