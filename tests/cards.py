"""A memory card that tests make, small detectors for it, and the server to which it is imported."""

import argparse
import json
import shutil
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from PIL import Image

from captures.decoded import Picture, Sound
from captures.picture import read_picture
from contract import Detection, Event, Model
from contract.messages import ObservationType
from ingest.rules.rule_set import Rule, RulesOptions
from ingest.store.duckdb.store import DuckDbStore
from ingest.store.port import EventQuery
from pipelines.card_import.card_files import CardFile, CardListing, list_card
from pipelines.card_import.card_import import CardImport, CardImportOptions
from pipelines.card_import.clock_corrections import KnownTime, correct_clocks
from pipelines.card_import.delivery import Delivery
from pipelines.card_import.deployments import CardDeployment, Placement
from pipelines.card_import.examine import Detectors, ExaminationOptions
from pipelines.card_import.report import CardReport
from pipelines.executor.in_process import InProcess
from pipelines.executor.port import Executor
from pipelines.executor.process_pool import ProcessPool
from tests.films import write_film
from tests.recordings import pcm, simple_wav
from wildpost.server.bundle_import import BundleImport
from wildpost.settings.server import ServerSettings

ZONE = timezone(timedelta(hours=8))
DAY = datetime(2026, 5, 1, 6, tzinfo=ZONE)
DEPLOYMENT = CardDeployment("ridge-07", "ridge-07-spring")
SETTINGS = ServerSettings(rules=RulesOptions(rule=(Rule(name="person", observation_types=("human",)),)))
GREY, RED, BLACK = (120, 120, 120), (30, 30, 200), (0, 0, 0)  # blue, green, red


class Looking:
    """A detector that takes red pictures for people, and other bright ones for animals."""

    model = Model(name="colours", version="1", sha256="1" * 64)

    def preprocess(self, item: Any) -> tuple[float, float]:
        decoded = item if isinstance(item, Picture) else read_picture(item, 64)
        blue, _, red = decoded.pixels.reshape(-1, 3).mean(axis=0)
        return float(blue), float(red)

    def predict(self, batch: Sequence[tuple[float, float]]) -> list[list[Detection]]:
        return [self._found(*colours) for colours in batch]

    def _found(self, blue: float, red: float) -> list[Detection]:
        if max(blue, red) < 20:
            return []
        kind: ObservationType = "human" if red > 2 * blue else "animal"
        return [Detection(ordinal=0, label=kind, observation_type=kind, confidence=0.9, model="colours")]


class Listening:
    """A detector that takes every sound for an animal."""

    model = Model(name="loudness", version="1", sha256="2" * 64)

    def preprocess(self, item: Sound) -> float:
        return float(np.abs(item.samples).mean())

    def predict(self, batch: Sequence[float]) -> list[list[Detection]]:
        kind: ObservationType = "animal"
        return [
            [Detection(ordinal=0, label="bird", observation_type=kind, confidence=0.8, model="loudness")] for _ in batch
        ]


def open_detectors() -> Detectors:
    return Detectors([Looking()], [Listening()])


def open_ears() -> Detectors:
    return Detectors([], [Listening()])


def picture(path: Path, taken: datetime | None, colour: tuple[int, int, int] = GREY, number: int = 0) -> Path:
    """Write a JPEG with an EXIF time, and with a number in its EXIF data, so that its content is like no other's."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.full((120, 160, 3), colour, np.uint8)
    exif = Image.Exif()
    if taken is not None:
        exif.get_ifd(0x8769)[0x9003] = taken.strftime("%Y:%m:%d %H:%M:%S")
        exif[0x0132] = taken.strftime("%Y:%m:%d %H:%M:%S")
    exif[0x010E] = f"number {number}"
    Image.fromarray(pixels[:, :, ::-1]).save(path, exif=exif, quality=92)
    return path


def make_card(root: Path, visits: int = 3, recordings: int = 2) -> int:
    """Make a card; return the number of its events.

    It has bursts of three pictures, every hour; a person, an empty picture, one without a time, a film, recordings;
    a copy, broken files, and what is no capture.
    """
    media = root / "DCIM" / "100MEDIA"
    number = 0
    for visit in range(visits):
        for shot in range(3):
            number += 1
            picture(media / f"IMG_{number:04}.JPG", DAY + timedelta(hours=visit, seconds=shot), GREY, number)
    picture(media / "IMG_0900.JPG", DAY + timedelta(hours=5), RED, 900)
    picture(media / "IMG_0901.JPG", DAY + timedelta(hours=6), BLACK, 901)
    picture(media / "IMG_0902.JPG", None, GREY, 902)
    write_film(media / "MOV_0903.AVI", seconds=1.0)
    audio = root / "AUDIO"
    audio.mkdir()
    for one in range(recordings):
        samples = pcm(3.0)[: 40_000 + 2 * one]
        (audio / f"202605{2 + one:02}_060000.WAV").write_bytes(simple_wav(samples))
    (root / "copies").mkdir()
    shutil.copy(media / "IMG_0001.JPG", root / "copies" / "first.jpg")
    (media / "IMG_0904.JPG").write_bytes(b"")
    (media / "IMG_0905.JPG").write_bytes(b"no picture at all")
    (media / "IMG_0906.JPG").write_bytes((media / "IMG_0001.JPG").read_bytes()[:300])
    (root / "notes.txt").write_text("set up by Li")
    (media / "@eaDir").mkdir()
    shutil.copy(media / "IMG_0001.JPG", media / "@eaDir" / "SYNOPHOTO_THUMB_M.jpg")
    return number + 3 + 1 + recordings


class Server:
    """A server's data folder, to which cards are imported."""

    def __init__(self, data: Path) -> None:
        self.data = data

    def take_in(
        self,
        root: Path,
        placement: Placement | None = None,
        known: Sequence[KnownTime] = (),
        executor: Executor | None = None,
        on_progress: Callable[[CardFile, CardReport], None] = lambda _file, _report: None,
        stopped: Callable[[], bool] = lambda: False,
        stretch_s: float = 60.0,
        detectors: Callable[[], Detectors] = open_detectors,
    ) -> tuple[CardReport, Delivery]:
        listing: CardListing = list_card(root, placement or Placement(DEPLOYMENT))
        listing.files, corrections = correct_clocks(listing.files, known, ZONE)
        importing = BundleImport(SETTINGS, self.data, self.data)
        work = CardImport(
            CardImportOptions(root, self.data / "cards", "wildpost", "1"),
            listing,
            corrections,
            lambda folders: importing.run(*folders),
            on_progress,
        )
        delivery = work.run(
            executor or InProcess(),
            lambda ledger, spool: ExaminationOptions(detectors, ZONE, ledger, spool, stretch_s),
            stopped,
        )
        return work.report, delivery

    def store(self) -> "closing[DuckDbStore]":
        return closing(DuckDbStore(self.data / "detections.duckdb"))

    def events(self) -> list[Event]:
        with self.store() as store:
            return sorted(store.events(EventQuery(limit=100_000)), key=lambda event: event.captured_at.astimezone(UTC))


def folder_placement(**places: CardDeployment) -> Placement:
    return Placement(None, None, {PurePosixPath(name): one for name, one in places.items()})


def main() -> None:
    """Import a card in two processes, and print a line for each file and the account at the end."""
    parser = argparse.ArgumentParser()
    parser.add_argument("root", type=Path)
    parser.add_argument("data", type=Path)
    arguments = parser.parse_args()
    report, delivery = Server(arguments.data).take_in(
        arguments.root,
        executor=ProcessPool(2),
        on_progress=lambda file, _report: print(file.inside, flush=True),
    )
    print(json.dumps({**report.to_json(), "undelivered": delivery.undelivered}), flush=True)


if __name__ == "__main__":
    main()
