"""From a shot on a recording to an urgent flag: a real station, a real broker, the real server, the shipped network."""

import shutil
from pathlib import Path

import pytest

from wildpost.demo.demo import process_all, server_and_broker


@pytest.mark.parametrize("name", ["gunshot_149177-6-0-0.flac", "gunshot_174290-6-0-0.flac"])
def test_one_shot_is_heard_sent_and_flagged(shared_data: Path, tmp_path: Path, name: str) -> None:
    inbox = tmp_path / "recordings"
    inbox.mkdir()
    shutil.copy(shared_data / "samples" / "recordings" / name, inbox)
    with server_and_broker(tmp_path, 0) as (server, port):
        settings = tmp_path / "ridge.toml"
        settings.write_text(
            '[station]\nname = "ridge"\ndeployment = "ridge-a"\n'
            f'[broker]\nport = {port}\nprotocol = "3.1.1"\n'
            f'[[sensors]]\nname = "ear"\nsource = "folder"\nfolder = "{inbox}"\ndetectors = ["threat"]\n'
        )
        (reported,) = process_all(server, [settings], lambda _events, _aside: None)
        assert (reported.recordings, reported.set_aside) == (1, 0)
        flags = {flag.rule: flag for flag in server.casebook.flags()}
    assert flags["threat-sounds"].severity == "urgent"
    assert flags["threat-sounds"].reason_values["label"] == "gunshot"


def test_rain_is_no_reason_to_wake_anybody(shared_data: Path, tmp_path: Path) -> None:
    inbox = tmp_path / "recordings"
    inbox.mkdir()
    shutil.copy(shared_data / "samples" / "recordings" / "rain.ogg", inbox)
    with server_and_broker(tmp_path, 0) as (server, port):
        settings = tmp_path / "ridge.toml"
        settings.write_text(
            '[station]\nname = "ridge"\ndeployment = "ridge-a"\n'
            f'[broker]\nport = {port}\nprotocol = "3.1.1"\n'
            f'[[sensors]]\nname = "ear"\nsource = "folder"\nfolder = "{inbox}"\ndetectors = ["threat"]\n'
        )
        (reported,) = process_all(server, [settings], lambda _events, _aside: None)
        assert reported.events_sent == 1
        assert server.casebook.flags() == []
