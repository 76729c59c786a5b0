"""The secrets that settings refer to are found by the convention of their names, also those of later settings."""

from pathlib import Path

import msgspec
import pytest

from contract.redaction import VariableName
from edge.capture.camera import CameraOptions
from wildpost.settings.loader import SettingsError, load_settings
from wildpost.settings.secret_values import redaction_of
from wildpost.settings.server import ServerSettings
from wildpost.settings.station import StationSettings

MARK = "Marked-Secret-14"


class _Inner(msgspec.Struct, frozen=True):
    new_service_variable: str = "RESERVE_NEW"


class _Later(msgspec.Struct, frozen=True):
    inner: _Inner = _Inner()
    several: tuple[_Inner, ...] = (_Inner("RESERVE_SECOND"),)
    password_file: str = ""
    address: str = ""


def test_variables_files_and_addresses_are_found_at_any_depth(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESERVE_NEW", "value one")
    monkeypatch.setenv("RESERVE_SECOND", "value two")
    (tmp_path / "password").write_text("value three\n")
    later = _Later(password_file=str(tmp_path / "password"), address="rtsp://admin:value-four@camera/1")
    redact = redaction_of(later)
    said = redact("value one, value two, value three, value-four, camera")
    assert said == "***, ***, ***, ***, camera"
    assert redaction_of(_Later(password_file="/nowhere"))("text") == "text"


def test_the_address_of_a_notifier_is_hidden_in_its_parts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    url = "tgram://123456789:AAbbCCddEEffGGhhIIjj/-1001234567890/?format=html"
    monkeypatch.setenv("RESERVE_RANGERS", url)
    (tmp_path / "server.toml").write_text(
        '[[alerts.apprise]]\nname = "rangers"\nurl_variable = "RESERVE_RANGERS"\n', encoding="utf-8"
    )
    redact = redaction_of(load_settings(tmp_path / "server.toml", ServerSettings))
    assert "AAbbCCddEEffGGhhIIjj" not in redact("https://api.telegram.org/bot123456789:AAbbCCddEEffGGhhIIjj/send")
    assert url not in redact(url)


def test_every_setting_that_names_a_variable_follows_the_convention() -> None:
    def check(kind: type, path: str) -> None:
        for field in msgspec.structs.fields(kind):
            where = f"{path}.{field.name}"
            if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
                check(field.type, where)
            is_secret = any(word in field.name for word in ("password", "secret", "token"))
            if is_secret and field.name != "password_file":
                assert field.name.endswith("_variable"), where
            if field.name.endswith("_variable"):
                assert field.type == VariableName, where

    check(ServerSettings, "server")
    check(StationSettings, "station")
    assert CameraOptions().device == "0"


@pytest.mark.parametrize(
    "text",
    [
        f'[broker]\npassword_variable = "{MARK}"',
        f'[broker]\npassword = "{MARK}"',
        f'[broker]\nport = "{MARK}"',
        f'[broker]\nprotocol = 5\npassword_variable = "{MARK.lower()}"',
        f'[store]\nsecret_variable = "{MARK}"',
        f'[store.influxdb]\nurl = "http://u:{MARK}@db:8086"',
        f'[store.influxdb]\nurl = "http://db:8086?token={MARK}"',
        f'[store.influxdb]\nurl = "{MARK}"',
        f'[casebook]\nurl = "postgresql+psycopg://u:{MARK}@db/x"',
        f'[casebook]\nurl = "postgresql+psycopg://u@db/x?password={MARK}"',
        f'[casebook]\nurl = "postgresql+psycopg://u@db/x?sslpassword={MARK}"',
        f'[casebook]\nurl = "postgresql://u:pa/{MARK}@db/x"',
        f'[casebook]\nurl = "u:{MARK}@db/x"',
        f'[casebook]\nsecret_variable = "{MARK}"',
        f'[media]\nurl = "s3://key:{MARK}@bucket"',
        f'[media]\nurl = "s3://bucket?secret={MARK}"',
        f'[media]\nendpoint = "https://key:{MARK}@minio:9000"',
        f'[media]\nkey_variable = "{MARK}"',
        f'[[alerts.apprise]]\nname = "x"\nurl_variable = "tgram://{MARK}"',
        f'[backup]\nrecipients = ["{MARK}"]',
        f'[broker]\nusername = "x"\npassword = {MARK}',
    ],
)
def test_a_secret_in_the_wrong_place_of_the_settings_is_refused_and_not_repeated(text: str, tmp_path: Path) -> None:
    (tmp_path / "server.toml").write_text(text)
    with pytest.raises(SettingsError) as raised:
        load_settings(tmp_path / "server.toml", ServerSettings)
    assert MARK.lower() not in str(raised.value).lower()
