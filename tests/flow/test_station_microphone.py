"""A station hears a real ALSA device, which plays a recording, and keeps the original beside the finding."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from captures.sound import read_stretches
from tests.conftest import Mosquitto, missing
from tests.servers.listeners import listening


@pytest.mark.parametrize(("policy", "kept"), [("keep", 1), ("drop", 0)])
def test_what_a_microphone_heard_is_kept_unless_its_policy_forbids(
    policy: str, kept: int, shared_data: Path, mosquitto: Mosquitto, tmp_path: Path
) -> None:
    try:
        import sounddevice  # noqa: F401
    except OSError:
        missing("PortAudio is not installed (Debian: apt-get install libportaudio2)")
    shot = shared_data / "samples" / "recordings" / "gunshot_149177-6-0-0.flac"
    heard = np.concatenate([piece.samples for piece in read_stretches(shot)])
    np.tile(heard, 4).astype("<f4").tofile(tmp_path / "heard.raw")
    (tmp_path / "asound.conf").write_text(
        "</usr/share/alsa/alsa.conf>\n"
        f'pcm.played {{ type file slave.pcm "null" file "/dev/null" infile "{tmp_path}/heard.raw" format "raw" }}\n'
    )
    settings = tmp_path / "station.toml"
    # Whoever shoots is "somebody who speaks" here: what counts is that the policy holds for the original too.
    settings.write_text(
        f'[station]\nname = "lake-07"\ndeployment = "a"\n[broker]\nport = {mosquitto.port}\n'
        '[[sensors]]\nname = "ear"\nsource = "microphone"\ndetectors = ["threat"]\n'
        '[sensors.microphone]\ndevice = "played"\nstretch_s = 4\n'
        f'[voice]\npolicy = "{policy}"\nvoices = ["gunshot"]\nthreats = []\n'
    )
    command = [sys.executable, "-m", "wildpost", "station", "run", str(settings), "--once", "--json"]
    environment = {**os.environ, "ALSA_CONFIG_PATH": str(tmp_path / "asound.conf"), "WILDPOST_DATA": str(tmp_path)}
    with listening(mosquitto.port, "wildpost/#"):
        ended = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=60)
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout.strip().splitlines()[-1])["recordings"] == 1
    files = sorted((tmp_path / "stations" / "lake-07" / "ear").iterdir())
    assert len(files) == kept
    for file in files:
        assert soundfile.info(file).duration == pytest.approx(4, abs=1)
