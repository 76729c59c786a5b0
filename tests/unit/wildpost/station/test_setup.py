"""`wildpost station init` writes settings that a station accepts, hands the password on, and overwrites nothing."""

import os
from pathlib import Path

import pytest

from wildpost.broker.configuration import Listeners
from wildpost.broker.folder import BrokerFolder
from wildpost.cli.main import main
from wildpost.settings.station import StationSettings, load_station
from wildpost.station.setup import EXAMPLE, provide_secrets


def init(folder: Path, *words: str) -> int:
    return main(["station", "init", str(folder), "--name", "lake-07", "--deployment", "lake-07-2026a", *words])


def settings_of(folder: Path, monkeypatch: pytest.MonkeyPatch) -> StationSettings:
    monkeypatch.setenv("WILDPOST_BROKER_PASSWORD", "secret")
    return load_station(folder / "station.toml")


@pytest.fixture
def handed(tmp_path: Path) -> Path:
    """What the broker's own command gives for lake-07."""
    folder = BrokerFolder(tmp_path / "broker", prefix="county/reserve", listeners=Listeners(8884, 8885))
    folder.create(["broker.reserve.example"])
    return folder.add_station("lake-07")[1]


def test_what_it_writes_is_what_was_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["--latitude", "31.5", "--longitude", "117.25", "--utc-offset", "+09:00", "--time-zone", "Asia/Tokyo"]
    assert init(tmp_path / "new", "--broker", "broker.example:1884", *words) == 0
    settings = settings_of(tmp_path / "new", monkeypatch)
    assert (settings.station.name, settings.station.deployment) == ("lake-07", "lake-07-2026a")
    assert (settings.station.latitude, settings.station.longitude) == (31.5, 117.25)
    assert settings.station.utc_offset == "+09:00" and settings.station.time_zone == "Asia/Tokyo"
    assert (settings.broker.host, settings.broker.port, settings.broker.tls) == ("broker.example", 1884, False)


def test_without_a_sensor_it_watches_a_folder_that_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert init(tmp_path, "--broker", "broker.example") == 0
    (sensor,) = settings_of(tmp_path, monkeypatch).sensors
    assert (sensor.source, sensor.folder) == ("folder", "captures")
    assert (tmp_path / "captures").is_dir()


def test_without_a_place_the_example_s_place_is_not_taken_for_the_station_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert init(tmp_path, "--broker", "broker.example") == 0
    assert settings_of(tmp_path, monkeypatch).station.location is None


@pytest.mark.parametrize(
    ("words", "sources"),
    [
        (["--watch", '/srv/野外 "card"'], ["folder"]),
        (["--camera", "rtsp://camera.local/stream"], ["camera"]),
        (["--microphone"], ["microphone"]),
        (["--microphone", "USB Audio", "--camera", "0", "--watch", "/srv/camera"], ["folder", "microphone", "camera"]),
    ],
)
def test_it_has_the_sensors_that_were_named_and_no_other(
    words: list[str], sources: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert init(tmp_path, "--broker", "broker.example", *words) == 0
    sensors = settings_of(tmp_path, monkeypatch).sensors
    assert [sensor.source for sensor in sensors] == sources
    places = {"folder": "folder", "camera": "camera", "microphone": "microphone"}
    told = dict(zip(words[::2], words[1::2], strict=False))
    for sensor in sensors:
        value = getattr(sensor, places[sensor.source])
        device = value if isinstance(value, str) else value.device
        assert device == told.get("--watch" if sensor.source == "folder" else f"--{sensor.source}", "")


def test_every_comment_of_the_example_is_there(tmp_path: Path) -> None:
    assert init(tmp_path, "--broker", "broker.example") == 0
    comments = [line.partition("#")[2].strip() for line in EXAMPLE.read_text(encoding="utf-8").splitlines()]
    written = (tmp_path / "station.toml").read_text(encoding="utf-8")
    # A comment on a setting that was told has moved to another column, and no word of it has changed.
    assert [comment for comment in comments if comment and " = " not in comment and comment not in written] == []


def test_credentials_bring_host_encryption_and_password(
    handed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = (handed / "wildpost.env").read_bytes()
    for given in (handed, handed / "broker.toml"):
        (handed / "wildpost.env").write_bytes(secret)  # erased by the first
        new = tmp_path / f"new-{given.name}"
        assert init(new, "--credentials", str(given)) == 0
        broker = settings_of(new, monkeypatch).broker
        assert (broker.host, broker.port, broker.prefix) == ("broker.reserve.example", 8884, "county/reserve")
        assert (broker.tls, broker.username, broker.ca_file) == (True, "lake-07", str(new / "ca.crt"))
        assert (new / "ca.crt").read_bytes() == (handed / "ca.crt").read_bytes()
        assert (new / "wildpost.env").read_bytes() == secret
        assert not (handed / "wildpost.env").exists()
        assert (new / "wildpost.env").stat().st_mode & 0o777 == 0o600


def test_the_password_beside_the_settings_is_taken_where_the_environment_has_none(
    handed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = (handed / "wildpost.env").read_text(encoding="utf-8")
    assert init(tmp_path / "new", "--credentials", str(handed)) == 0
    monkeypatch.setenv("WILDPOST_BROKER_PASSWORD", "another")
    provide_secrets(tmp_path / "new" / "station.toml")
    assert os.environ["WILDPOST_BROKER_PASSWORD"] == "another"
    monkeypatch.delenv("WILDPOST_BROKER_PASSWORD")
    provide_secrets(tmp_path / "new" / "station.toml")
    assert f"WILDPOST_BROKER_PASSWORD={os.environ['WILDPOST_BROKER_PASSWORD']}\n" == secret


def test_what_is_there_is_never_overwritten(handed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("station.toml", "ca.crt", "wildpost.env"):
        folder = tmp_path / f"with-{name}"
        folder.mkdir()
        (folder / name).write_text("mine")
        assert init(folder, "--credentials", str(handed)) == 1
        assert name in capsys.readouterr().err
        assert {file.name: file.read_text() for file in folder.iterdir()} == {name: "mine"}


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--name", "lake 07", "--broker", "b"], "lake 07"),
        (["--name", "湖", "--broker", "b"], "湖"),
        (["--name", "l" * 64, "--broker", "b"], "63"),
        (["--deployment", "", "--broker", "b"], "--deployment"),
        (["--latitude", "31.5", "--broker", "b"], "longitude"),
        (["--latitude", "nan", "--longitude", "1", "--broker", "b"], "station.toml"),
        (["--latitude", "91", "--longitude", "1", "--broker", "b"], "latitude"),
        (["--utc-offset", "+8", "--broker", "b"], "utc_offset"),
        (["--broker", "b:mqtt"], "b:mqtt"),
        (["--broker", "b:70000"], "port"),
        ([], "--broker"),
        (["--credentials", "no-such-folder"], "no-such-folder"),
    ],
)
def test_a_value_that_cannot_be_is_named_and_nothing_is_written(
    words: list[str], named: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert init(tmp_path / "new", *words) == 1
    assert named in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_credentials_of_another_station_are_refused(
    handed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert init(tmp_path / "new", "--credentials", str(handed), "--name", "ridge-01") == 1
    assert "lake-07" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("told", ["broker.example", "192.0.2.7:8883", "[2001:db8::7]:8883", "2001:db8::7"])
def test_a_host_may_be_an_address_of_either_kind(told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert init(tmp_path, "--broker", told) == 0
    broker = settings_of(tmp_path, monkeypatch).broker
    assert broker.host == told.removesuffix(":8883").strip("[]")
    assert broker.port == (8883 if told.endswith(":8883") else 1883)
