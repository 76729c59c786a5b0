"""Opens the detectors for the files of memory cards, by the settings of a station."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from edge.station import StationOptions
from pipelines.card_import.examine import Detectors
from wildpost.settings.station import LOOKING, SensorOptions, StationSettings
from wildpost.station.assembly import open_detector, open_station_classifier

DETECTORS: tuple[Literal["vision", "birdnet", "threat"], ...] = ("vision", "birdnet", "threat")


def default_settings() -> StationSettings:
    """Return settings whose models have all default values."""
    sensor = SensorOptions(name="card", source="folder", folder=".", detectors=DETECTORS)
    return StationSettings(station=StationOptions(name="card", deployment="card"), sensors=(sensor,))


@dataclass(frozen=True, slots=True)
class DetectorOpener:
    """Opens detectors in a worker process; picklable.

    Attributes:
        names: Names of the detectors: vision, birdnet, threat.
        settings: Their settings.
        beside: The folder that paths in the settings are relative to.
        data: The data folder, with models and cache.
        threads: Threads of each network; 0: one per core.
    """

    names: tuple[str, ...]
    settings: StationSettings
    beside: Path
    data: Path
    threads: int

    def __call__(self) -> Detectors:
        """Open the detectors.

        Raises:
            WeightsError: weights are missing or have a wrong hash.
            ValueError: a setting names a class that the detector does not have.
        """
        one, replaced = self.settings, msgspec.structs.replace
        settings = replaced(
            one,
            vision=replaced(one.vision, options=replaced(one.vision.options, threads=self.threads)),
            birdnet=replaced(one.birdnet, threads=self.threads),
            threat=replaced(one.threat, threads=self.threads),
        )
        opened = {name: open_detector(name, settings, self.beside, self.data) for name in self.names}
        looks = bool(LOOKING & opened.keys())
        return Detectors(
            looking=[detector for name, detector in opened.items() if name in LOOKING],
            listening=[detector for name, detector in opened.items() if name not in LOOKING],
            classifier=open_station_classifier(settings, self.beside, self.data) if looks else None,
            voice=settings.voice,
        )
