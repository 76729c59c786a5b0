"""The settings of the demo's two stations: one with a camera, one with a microphone."""

import contextlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path

from models.download import install
from models.registry import WeightsError, find_weights, load_registry

# The camera stands inside a zone of the example rules, so that what is flagged explains itself. The microphone stands
# nowhere: recordings from anywhere in the world are shown, and a prior of place would drop most of their species.
PLACES = {"camera": "latitude = 31.35\nlongitude = 117.20\n", "microphone": ""}
OWN = "wildpost-nano"
DETECTORS = {"camera": ["vision"], "microphone": ["birdnet", "threat"]}


def write_settings(
    inboxes: Mapping[str, Path], folder: Path, data: Path, broker_port: int, brought: Path, say: Callable[[str], object]
) -> list[Path]:
    """Write a settings file for each station that has something to look at or listen to.

    Args:
        inboxes: The folder of each station.
        folder: Where the settings go.
        data: The data folder that holds the weights.
        broker_port: Of the broker on this machine.
        brought: A folder that may hold weights, on the stick that the samples came with.
        say: Tells the person watching what looks at the pictures.
    """
    model = choose_vision(data / "models", brought, say) if any(inboxes["camera"].iterdir()) else OWN
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
            f"[vision]\nmodel = {_text(model)}\nweights = {_text(data / 'models')}\n\n"
            f"[birdnet]\ncache = {_text(data / 'cache')}\n",
            encoding="utf-8",
        )
        written.append(path)
    return written


def choose_vision(weights_folder: Path, brought: Path, say: Callable[[str], object]) -> str:
    """Name a vision model: one whose weights were fetched or brought along, else the one that comes with Wildpost."""
    fetched = [entry for entry in load_registry().values() if entry.kind == "vision" and entry.file is None]
    for entry in fetched:
        with contextlib.suppress(WeightsError):
            find_weights(entry, weights_folder)
            return entry.name
    for entry in fetched:
        for file in sorted(brought.glob("*.onnx")):
            if file.stat().st_size in entry.accepted.values():
                with contextlib.suppress(WeightsError):
                    install(entry, file, weights_folder)
                    return entry.name
    say(f"Pictures are looked at by {OWN}, which comes with Wildpost: models/weights/{OWN}.md says how much it misses")
    return OWN


def _text(value: object) -> str:
    """Write a string of TOML: JSON's are, whatever characters a path holds."""
    return json.dumps(str(value), ensure_ascii=False)
