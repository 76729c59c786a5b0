"""A data folder with one case, and hand-over packs of it."""

import hashlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from casebook.casebook import Casebook
from casebook.cases.case_file import HeldEvent
from casebook.cases.entry import Change, Finding, FoundAnimals, SeizedItem
from casebook.cases.repository import Cases
from casebook.flags import Flag
from casebook.incidents.database import Database
from casebook.records import MediaEntry
from casebook.verdicts import Verdict
from contract.messages import Media
from ingest.media.folder import FolderMedia
from tests.cases import NOW, SigningStation, deployment, opened_case
from tests.media_messages import content_of, medium_of
from wildpost.cli.main import main

PICTURE = b"\xff\xd8 a picture \xff\xd9"
LATER = b"\xff\xd8 the original, sent on request \xff\xd9"


def absent_original() -> Media:
    return Media(sha256="e" * 64, type="image/jpeg", size=9, role="original", name="IMG_0041.JPG")


@contextmanager
def casebook_of(data: Path) -> Iterator[tuple[Casebook, Cases]]:
    with closing(Casebook(f"sqlite:///{data / 'casebook.sqlite'}")) as casebook:
        yield casebook, Cases(Database(casebook.engine))


def case_folder(data: Path) -> str:
    """Make a data folder with a case of three captures, and return the number of the case.

    The first two are neighbours in the station's chain; one capture between them and the third is not in the case.
    """
    station = SigningStation(data / "station")
    payloads = [
        station.signed((medium_of(content_of(PICTURE)), absent_original())),
        *(station.signed() for _ in range(3)),
    ]
    station.close()
    held = [HeldEvent(payloads[index], deployment()) for index in (0, 1, 3)]
    media = FolderMedia(data / "media")
    for content in (PICTURE, LATER):
        media.put(content, hashlib.sha256(content).hexdigest())
    first = held[0].event.event_id
    with casebook_of(data) as (casebook, cases):
        later = hashlib.sha256(LATER).hexdigest()
        casebook.add_media([MediaEntry(first, later, "image/jpeg", "original", len(LATER), station.name, NOW)])
        casebook.add_flags([Flag(first, "people", "urgent", "human", NOW, {"label": "person", "confidence": "0.9"})])
        casebook.record_verdict(Verdict(first, 0, "confirmed", "human", "person", None, "李敏", NOW))
        number = opened_case(cases, *held).number
        found = Finding(
            tools=(SeizedItem(name="捕鸟网", count=3),),
            animals=(FoundAnimals(name="画眉", alive=2, released=2),),
            persons=2,
        )
        cases.add(number, Change(step="finding", finding=found), "周强", NOW)
        cases.add(number, Change(step="transfer_reported"), "周强", NOW)
        cases.record_access(number, "viewed", "陈静", datetime.now(UTC))
    return number


def exported(data: Path, number: str, folder: Path, *options: str) -> Path:
    """Export a pack by the command."""
    arguments = ["evidence", "export", number, str(folder), "--as", "周强", "--data", str(data), *options]
    assert main(arguments) == 0
    return folder
