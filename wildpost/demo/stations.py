"""Settings of the demo's two stations: one with a camera, one with a microphone."""

import contextlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path

from models.download import install
from models.registry import WeightsError, find_weights, load_registry

# The camera is inside a zone of the example rules, so that flags have an understandable reason. The microphone has no
# location: its recordings can come from anywhere, and a species range filter would drop most of their species.
PLACES = {"camera": "latitude = 31.35\nlongitude = 117.20\n", "microphone": ""}
SHIPPED = "wildpost-nano"
DETECTORS = {"camera": ["vision"], "microphone": ["birdnet", "threat"]}


def write_settings(
    inboxes: Mapping[str, Path],
    folder: Path,
    data: Path,
    broker_port: int,
    local_weights: Path,
    report: Callable[[str], object],
) -> list[Path]:
    """Write a settings file for each station whose inbox has files.

    Args:
        inboxes: The folder of each station.
        folder: Folder for the settings files.
        data: The data folder that holds the weights.
        broker_port: Port of the broker on this machine.
        local_weights: A folder that may hold weights, for example on the USB stick of the samples.
        report: Called with a message for the user about the vision model.
    """
    model = choose_vision(data / "models", local_weights, report) if any(inboxes["camera"].iterdir()) else SHIPPED
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


def choose_vision(weights_folder: Path, local_weights: Path, report: Callable[[str], object]) -> str:
    """Return the name of a vision model: downloaded or local weights are preferred over the model in the package."""
    downloadable = [entry for entry in load_registry().values() if entry.kind == "vision" and entry.file is None]
    for entry in downloadable:
        with contextlib.suppress(WeightsError):
            find_weights(entry, weights_folder)
            return entry.name
    for entry in downloadable:
        for file in sorted(local_weights.glob("*.onnx")):
            if file.stat().st_size in entry.accepted.values():
                with contextlib.suppress(WeightsError):
                    install(entry, file, weights_folder)
                    return entry.name
    report(f"The model for pictures is {SHIPPED} from the package; its accuracy: models/weights/{SHIPPED}.md")
    return SHIPPED


def _text(value: object) -> str:
    """Return a string as TOML; JSON strings are valid TOML for any characters in a path."""
    return json.dumps(str(value), ensure_ascii=False)
