"""The example settings of a server are what the code takes, and its defaults."""

from pathlib import Path

import pytest

from ingest.budgets.options import BudgetOptions
from ingest.receive.mqtt.options import ReceiverOptions
from ingest.rules.rule_set import load_rules
from review.options import ReviewOptions
from tests.repository import REPOSITORY
from wildpost.server.alerting import AlertsOptions
from wildpost.settings.loader import SettingsError, load_settings
from wildpost.settings.server import ServerSettings, WebOptions
from wildpost.settings.station import StationSettings

CONFIGS = REPOSITORY / "configs"


def test_the_example_loads_with_its_zones_and_shows_the_defaults() -> None:
    settings = load_settings(CONFIGS / "server.toml", ServerSettings)
    assert settings.broker == ReceiverOptions()
    assert settings.web == WebOptions()
    assert settings.review == ReviewOptions()
    assert settings.alerts == AlertsOptions()
    assert settings.budgets == BudgetOptions()
    assert len(settings.rules.rule) == 5
    load_rules(settings.rules, CONFIGS)


def test_the_example_of_deadlines_replaces_those_of_the_law(tmp_path: Path) -> None:
    lines = (CONFIGS / "server.toml").read_text(encoding="utf-8").splitlines()
    start = lines.index("# [[cases.deadlines]]")
    example = [line.removeprefix("# ") for line in lines[start : lines.index("", start)]]
    (tmp_path / "server.toml").write_text("\n".join(example), encoding="utf-8")
    (rule,) = load_settings(tmp_path / "server.toml", ServerSettings).cases.deadlines
    assert (rule.name, rule.start, rule.ends, rule.hours) == ("first-visit", "opened", ("on_site", "outcome"), 12)
    assert len(ServerSettings().cases.deadlines) == 6


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "[station]\nname = 'a b'\ndeployment = 'a'",
            "station.name: Expected a text of 1 to 63 letters, digits, - and _",
        ),
        (
            "[station]\nname = 'a'\ndeployment = 'a'\nutc_offset = '8'",
            "station.utc_offset: Expected a text such as +08:00",
        ),
        (
            "[station]\nname = 'a'\ndeployment = 'a'\ntime_zone = 'Mars/Olympus'",
            "station: time_zone 'Mars/Olympus': expected a name such as Europe/Berlin, or an offset such as +08:00",
        ),
        ("[station]\nname = 'a'\ndeployment = 'a'\nlatitude = 91", "station.latitude: Expected a number <= 90.0"),
        ("[station]\nname = 'a'\ndeployment = 'a'\nlatitude = 'N'", "station.latitude: Expected a number, got a text"),
        ("[station]\nname = 'a'\ndeployment = 'a'\nheight = 3", "station: Object contains unknown field `height`"),
    ],
)
def test_a_mistake_is_named_with_its_key_and_in_words(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "station.toml").write_text(text)
    with pytest.raises(SettingsError) as refused:
        load_settings(tmp_path / "station.toml", StationSettings)
    assert str(refused.value).startswith(f"{tmp_path / 'station.toml'}: {said}")


@pytest.mark.parametrize(
    "text",
    ['[web]\nproxies = ["proxy.example"]', '[review]\nhosts = ["reserve.example:443"]', '[review]\nhosts = ["*"]'],
)
def test_a_proxy_is_an_address_and_a_host_a_name_without_a_port(tmp_path: Path, text: str) -> None:
    (tmp_path / "server.toml").write_text(text)
    with pytest.raises(SettingsError, match=r"web|review"):
        load_settings(tmp_path / "server.toml", ServerSettings)
    (tmp_path / "server.toml").write_text('[web]\nproxies = ["::1"]\n[review]\nhosts = ["reserve.example"]')
    assert load_settings(tmp_path / "server.toml", ServerSettings).web.proxies == ("::1",)
