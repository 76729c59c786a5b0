"""Settings of the demo's two stations: one with a camera, one with a microphone."""

import json
from collections.abc import Mapping
from pathlib import Path

# The camera is inside a zone of the example rules, so that flags have an understandable reason. The microphone has no
# location: its recordings can come from anywhere, and a species range filter would drop most of their species.
PLACES = {"camera": "latitude = 31.35\nlongitude = 117.20\n", "microphone": ""}
SHIPPED = "wildpost-nano"
DETECTORS = {"camera": ["vision"], "microphone": ["birdnet", "threat"]}


def write_settings(inboxes: Mapping[str, Path], folder: Path, data: Path, broker_port: int) -> list[Path]:
    """Write a settings file for each demo station whose input folder contains files.

    Pictures are processed by the network in the package, also if other weights were downloaded: the demo shows what a
    new station finds.

    Args:
        inboxes: The folder of each station.
        folder: Folder for the settings files.
        data: The data folder that holds the weights.
        broker_port: Port of the broker on this machine.
    """
    written: list[Path] = []
    for kind, inbox in inboxes.items():
        if not any(inbox.iterdir()):
            continue
        path = folder / f"demo-{kind}.toml"
        path.write_text(
            f"[station]\nname = {_text(path.stem)}\ndeployment = {_text(path.stem)}\n"
            f"{PLACES[kind]}\n"
            f'[broker]\nport = {broker_port}\nprotocol = "3.1.1"\nin_flight = 50\n\n'
            f'[[sensors]]\nname = {_text(kind)}\nsource = "folder"\n'
            f"folder = {_text(inbox)}\ndetectors = {json.dumps(DETECTORS[kind])}\n\n"
            f"[vision]\nmodel = {_text(SHIPPED)}\nweights = {_text(data / 'models')}\n\n"
            f"[birdnet]\ncache = {_text(data / 'cache')}\n",
            encoding="utf-8",
        )
        written.append(path)
    return written


def _text(value: object) -> str:
    """Return a value as a TOML string.

    JSON strings are valid TOML for any characters in a path.
    """
    return json.dumps(str(value), ensure_ascii=False)
