"""A station on a card with other files and bad entries reports them to the server, and processes the captures."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from contract import Event, Health, SetAside
from tests.unit.edge.test_station import Kept


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    one = Kept(tmp_path)
    yield one
    one.outbox.close()


def test_what_is_passed_over_is_in_every_health_message(kept: Kept) -> None:
    for number in range(3):
        (kept.folder / f"IMAG{number}.XYZ").write_bytes(b"film")
    thumbnails = kept.folder / "@eaDir" / "IMG_0001.JPG"
    thumbnails.mkdir(parents=True)
    kept.picture("@eaDir/IMG_0001.JPG/SYNOPHOTO_THUMB_M.jpg", 240)
    kept.picture("IMG_0001.JPG", 240)
    kept.run()
    assert len(kept.records(Event)) == 1
    last = max(kept.records(Health), key=lambda record: record.at)
    assert {one.kind: one.count for one in last.passed_over} == {".xyz": 3, "@eadir/": 1}
    (kept.folder / "IMAG3.XYZ").write_bytes(b"film")
    kept.run()
    last = max(kept.records(Health), key=lambda record: record.at)
    assert last.passed_over[0].count == 4


def test_a_bad_entry_is_reported_to_the_server_once(kept: Kept) -> None:
    (kept.folder / "IMG_0002.JPG").symlink_to("IMG_0002.JPG")
    kept.picture("IMG_0001.JPG", 240)
    for _ in range(3):
        kept.run()
    (report,) = kept.records(SetAside)
    assert (report.name, "Too many levels of symbolic links" in report.reason) == ("IMG_0002.JPG", True)
    assert len(kept.records(Event)) == 1
    assert max(record.set_aside for record in kept.records(Health)) == 1


def test_names_of_any_bytes_reach_the_server(kept: Kept) -> None:
    kept.picture("good.jpg", 240)
    whole = (kept.folder / "good.jpg").read_bytes()
    long = "名" * 80 + ".jpg"
    (kept.folder / long).write_bytes(whole)
    broken = bytes(kept.folder) + b"/\xd2\xb0\xd6\xed\x0a.jpg"
    with open(broken, "wb") as file:  # noqa: PTH123, the name is bytes
        file.write(b"no picture")
    kept.run()
    names = {event.media[0].name for event in kept.records(Event)}
    assert names == {"good.jpg", long}
    assert [Path(report.name).suffix for report in kept.records(SetAside)] == [".jpg"]


def test_a_damaged_picture_is_examined_as_far_as_it_goes_and_marked(kept: Kept) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (480, 640, 3), np.uint8)
    whole = bytes(cv2.imencode(".jpg", noise)[1])
    half = whole[: len(whole) // 2]
    hole = whole[: len(whole) // 3] + bytes(4096) + whole[len(whole) // 3 + 4096 :]
    files = {"whole.jpg": whole, "no end.jpg": whole[:-2], "half.jpg": half, "early.jpg": half + b"\xff\xd9"}
    files |= {"hole.jpg": hole, "png.png": bytes(cv2.imencode(".png", noise)[1])[:-12]}
    for name, data in files.items():
        (kept.folder / name).write_bytes(data)
    kept.run()
    assert kept.records(SetAside) == []
    originals = {event.media[0].name: event.media[0] for event in kept.records(Event)}
    assert originals.keys() == files.keys()
    assert [name for name, media in originals.items() if not media.damage] == ["whole.jpg"]
    assert "lower 5" in originals["half.jpg"].damage and "lower" not in originals["no end.jpg"].damage
    assert all(not media.damage for event in kept.records(Event) for media in event.media[1:]), "thumbnails are whole"
