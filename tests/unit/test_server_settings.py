"""The example settings of a server are what the code takes, and its defaults."""

from pathlib import Path

from ingest.receiver import ReceiverOptions
from ingest.rules import load_rules
from wildpost.server import ServerSettings, WebOptions
from wildpost.settings import load_settings

CONFIGS = Path(__file__).parents[2] / "configs"


def test_the_example_loads_with_its_zones_and_shows_the_defaults() -> None:
    settings = load_settings(CONFIGS / "server.toml", ServerSettings)
    assert settings.broker == ReceiverOptions()
    assert settings.web == WebOptions()
    assert len(settings.rules.rule) == 5
    load_rules(settings.rules, CONFIGS)
