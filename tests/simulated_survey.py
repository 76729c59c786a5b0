"""A data folder with a season of camera traps whose truth is known: places, detection and species."""

from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import numpy as np

from casebook.casebook import Casebook
from contract import Clock, Detection, Location, encode, new_event_id
from contract.examples import DEPLOYMENT, EVENT
from ingest.store.duckdb.store import DuckDbStore
from ingest.store.port import Received, Storable
from tests.effort_messages import effort_of

ZONE = ZoneInfo("Asia/Shanghai")
FIRST, DAYS, STATIONS = date(2026, 3, 2), 42, 40
BOAR_OCCUPANCY, BOAR_A_DAY = 0.6, 0.12
COMMON = ("Capreolus pygargus", "Meles leucurus", "Prionailurus bengalensis")
(MODEL,) = EVENT.models[:1]


def station_name(number: int) -> str:
    return f"ridge-{number:02}"


def midnight(day: int) -> datetime:
    return datetime.combine(FIRST + timedelta(days=day), datetime.min.time(), ZONE)


class SimulatedSurvey:
    """Stations for six weeks; wild boar live at six places in ten, other animals everywhere."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._random = np.random.default_rng(3)
        self._written: list[Storable] = []
        self.with_boar = self._random.random(STATIONS) < BOAR_OCCUPANCY
        for number in range(STATIONS):
            self._station(number)
        store = DuckDbStore(folder / "detections.duckdb")
        now = midnight(DAYS + 1)
        store.write([Received(one, encode(one), now) for one in self._written])
        store.close()
        Casebook(f"sqlite:///{folder / 'casebook.sqlite'}").close()

    def _station(self, number: int) -> None:
        name = station_name(number)
        place = Location(latitude=31.3 + 0.01 * number, longitude=117.2)
        self._written.append(
            msgspec.structs.replace(
                DEPLOYMENT, station=name, location=place, location_name=f"valley {number // 10}", start=midnight(0)
            )
        )
        self._written.append(effort_of(midnight(0), midnight(DAYS), station=name, sensor="camera"))
        for day in range(DAYS):
            if self.with_boar[number] and self._random.random() < BOAR_A_DAY:
                self.seen(name, midnight(day) + timedelta(hours=5), "Sus scrofa", 1 + int(self._random.integers(3)))
            for hour, species in enumerate(COMMON, 6):
                if self._random.random() < 0.05:
                    self.seen(name, midnight(day) + timedelta(hours=hour), species)
        if number == 0:
            self.seen(name, midnight(1), "Bos taurus")
            self.seen(name, midnight(2), "animal")
            self.seen(name, midnight(3), "Sus scrofa", clock=Clock(source="copy", synchronised=False))

    def seen(self, station: str, at: datetime, label: str, animals: int = 1, clock: Clock | None = None) -> None:
        detections = tuple(
            Detection(ordinal=number, label=label, observation_type="animal", confidence=0.9, model=MODEL.name)
            for number in range(animals)
        )
        values = {"event_id": new_event_id(), "station": station, "captured_at": at, "detections": detections}
        values |= {"models": (MODEL,), "media": (), "sensor": "camera"} | ({"clock": clock} if clock else {})
        self._written.append(msgspec.structs.replace(EVENT, **values))
