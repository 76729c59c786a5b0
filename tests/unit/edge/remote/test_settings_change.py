"""Settings of the server are tried, stay if the sensors go on working, and go away by themselves if not."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from contract.commands import AnswerState
from contract.desired_settings import (
    DesiredSettings,
    InvalidSettings,
    changeable,
    flattened,
    nested,
    overlaid,
    read_desired,
)
from contract.envelope import Envelope, open_envelope
from edge.remote.desired_file import MOST_STARTS, DesiredFile, DesiredFileError
from edge.remote.settings_change import SettingsChange
from tests.signing import ROOT_KEY, sealed
from wildpost.settings.desired import values_in_force, with_desired
from wildpost.settings.station import StationSettings

WANTED = '{"sensors":{"camera":{"camera":{"motion_share":0.05}}}}'
FILE: dict[str, Any] = {
    "station": {"name": "lake-07", "deployment": "a"},
    "sensors": [
        {"name": "camera", "source": "camera", "detectors": ["vision"], "camera": {"device": "0"}},
        {"name": "net", "source": "camera", "detectors": ["vision"], "camera": {"device": "rtsp://u:p@h/"}},
    ],
    "broker": {"host": "broker.example"},
}
SETTINGS = msgspec.convert(FILE, StationSettings)


class Station:
    """The parts of a station that a change of settings meets, with a clock of the test's own."""

    def __init__(self, folder: Path) -> None:
        self.file = DesiredFile(folder / "desired.json")
        self.now, self.working, self.restarts = 0.0, frozenset({"camera", "net"}), 0
        self.start()

    def start(self) -> None:
        """Start with what the file says."""
        self.file.count_start()
        self.change = SettingsChange(
            self.file,
            lambda desired: with_desired(SETTINGS, desired),
            "{}",
            lambda _: self.working,
            self.restart,
            trial_s=300,
            clock=lambda: self.now,
        )

    def restart(self) -> None:
        self.restarts += 1

    def give(self, payload: str = WANTED, serial: int = 7) -> tuple[AnswerState, str]:
        outcome = self.change.change(envelope(payload, serial))
        outcome.then()
        return outcome.state, outcome.detail


def envelope(payload: str, serial: int) -> Envelope:
    return open_envelope(sealed(serial=serial, kind="settings", payload=payload), ROOT_KEY)[0]


@pytest.fixture
def station(tmp_path: Path) -> Station:
    return Station(tmp_path)


def test_settings_with_which_the_sensors_work_stay(station: Station) -> None:
    assert station.give()[0] == "accepted" and station.restarts == 1
    station.start()
    station.now = 299
    assert not station.change.decide() and station.file.read().trial is not None
    station.now = 300
    assert station.change.decide()
    verdict = station.change.verdict
    assert verdict is not None and (verdict.state, verdict.serial) == ("done", 7)
    assert station.file.read().settings == read_desired(WANTED) and station.restarts == 1
    station.change.reported()
    assert station.change.verdict is None and station.change.serial == 7


def test_settings_with_which_a_sensor_no_longer_works_go_away(station: Station) -> None:
    station.give()
    station.start()
    station.working = frozenset({"net"})
    station.now = 300
    assert not station.change.decide()
    assert station.restarts == 2
    station.start()
    verdict = station.change.verdict
    assert verdict is not None and verdict.state == "rolled-back" and "sensor camera no longer works" in verdict.detail
    assert station.file.read().settings == DesiredSettings() and station.change.remaining_s is None


def test_a_sensor_that_did_not_work_before_does_not_count(station: Station) -> None:
    station.working = frozenset({"net"})
    station.give()
    station.start()
    station.now = 300
    assert station.change.decide()


def test_a_station_that_is_started_again_and_again_goes_back(station: Station) -> None:
    station.give()
    for _ in range(MOST_STARTS):
        station.start()
        assert station.file.read().trial is not None
    station.start()
    verdict = station.change.verdict
    assert verdict is not None and verdict.state == "rolled-back" and "started 3 times" in verdict.detail


def test_an_envelope_that_comes_again_during_its_trial_begins_no_other(station: Station) -> None:
    station.give()
    station.start()
    assert station.give() == ("accepted", "on trial") and station.restarts == 1


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        ('{"broker":{"host":"thief.example"}}', "unknown field `broker`"),
        ('{"station":{"name":"ridge-01"}}', "unknown field `name`"),
        ('{"sensors":{"camera":{"folder":"/etc"}}}', "unknown field `folder`"),
        ('{"sensors":{"camera":{"camera":{"device":"rtsp://thief.example/"}}}}', "device"),
        ('{"sensors":{"camera":{"camera":{"motion_share":1.0}}}}', "<= 0.2"),
        ('{"sensors":{"lens":{"visit_gap_s":60}}}', "['lens']"),
        ('{"voice":{"policy":"keep"}}', "unknown field `voice`"),
        ('{"remote":{"root_key":""}}', "unknown field `remote`"),
        ("[]", "array"),
        ("{", "truncated"),
    ],
)
def test_what_is_not_in_the_list_or_not_on_the_station_is_refused(station: Station, payload: str, why: str) -> None:
    state, detail = station.give(payload)
    assert state == "refused" and why in detail
    assert station.file.read().trial is None and station.restarts == 0


def test_desired_settings_take_the_place_of_those_of_the_file_and_nothing_else_changes() -> None:
    changed = with_desired(SETTINGS, read_desired(WANTED))
    assert changed.sensors[0].camera.motion_share == 0.05 and changed.sensors[0].camera.device == "0"
    assert changed.sensors[1] == SETTINGS.sensors[1] and changed.broker == SETTINGS.broker
    assert with_desired(SETTINGS, DesiredSettings()) == SETTINGS


def test_what_a_station_reports_can_be_desired_and_has_no_password() -> None:
    values = values_in_force(SETTINGS)
    assert with_desired(SETTINGS, read_desired(values)) == SETTINGS
    flat = flattened(changeable(msgspec.to_builtins(SETTINGS)))
    assert flat["sensors.camera.camera.device"] == "0" and flat["birdnet.threshold"] == 0.25
    assert "u:p" not in values and flattened(nested(flat)) == flat


def test_a_key_below_a_value_is_refused() -> None:
    with pytest.raises(InvalidSettings, match="is no table"):
        nested({"station": 1, "station.health_s": 60})
    with pytest.raises(InvalidSettings):
        overlaid({"sensors": []}, read_desired(WANTED))


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "desired.json").write_text("{")
    with pytest.raises(DesiredFileError, match=r"desired\.json"):
        DesiredFile(tmp_path / "desired.json").read()
