"""What is wrong with a recording that was analysed reaches the server once, beside its detections."""

import os
import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np
import pytest

from captures.decoded import Sound
from contract import Detection, Effort, Event, Model, SetAside, decode, encode
from contract.codec import Record
from edge.capture.folder import FolderSource
from edge.outbox.outbox import Outbox
from edge.sensor import Sensor
from edge.station import Station, StationOptions
from ingest.receive.batch import ReceivedMessage, read_batch
from tests.recordings import FORMAT, chunk, pcm, simple_wav, stereo_wav, wav


class Loud:
    """Hears one thing in every sound that is not silent."""

    model = Model(name="loud", version="1", sha256="1" * 64)

    def preprocess(self, item: Sound) -> float:
        return float(np.abs(item.samples).max())

    def predict(self, batch: Sequence[float]) -> list[list[Detection]]:
        return [
            [Detection(ordinal=0, label="loud", observation_type="unknown", confidence=0.5, model="loud")]
            if peak > 0.1
            else []
            for peak in batch
        ]


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    opened = Outbox(tmp_path / "outbox.sqlite")
    yield opened
    opened.close()


def run_once(folder: Path, outbox: Outbox) -> list[Record]:
    """Run a station until it has read its folder; return what it sent since the start of this run."""
    before = {message.number for message in outbox.waiting(1_000)}
    source = FolderSource(folder, outbox.mark_of, UTC, None, 60, last_mark=outbox.last_mark)
    sensor = Sensor("ear", source, looking=[], listening=[Loud()], visit_gap_s=60)
    station = Station(StationOptions(name="lake-07", deployment="a"), "wildpost", [sensor], outbox)
    station.run(threading.Event(), once=True, folder=folder)
    new = [message for message in outbox.waiting(1_000) if message.number not in before and not message.media]
    return [decode(message.topic, message.payload) for message in new]


def put(folder: Path, data: bytes, modified: int = 1_700_000_000) -> None:
    folder.mkdir(exist_ok=True)
    path = folder / "20260521_053000.wav"
    path.write_bytes(data)
    os.utime(path, (modified, modified))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (simple_wav(pcm(), 0, 0), "its header was never finished"),
        (simple_wav(pcm(), data_size=8_000), "sizes wrap at 4 GiB"),
        (stereo_wav(3, -1), "channel 2 is inverted"),
        (stereo_wav(3, 0), "channel 2 is dead"),
    ],
)
def test_a_recording_with_a_fault_is_analysed_and_its_fault_reported(
    data: bytes, reason: str, tmp_path: Path, outbox: Outbox
) -> None:
    put(tmp_path / "in", data)
    records = run_once(tmp_path / "in", outbox)
    (event,) = (record for record in records if isinstance(record, Event))
    assert (event.duration_s, [one.label for one in event.detections]) == (3.0, ["loud"])
    (report,) = (record for record in records if isinstance(record, SetAside))
    assert (report.analysed, reason in report.reason, report.size) == (True, True, len(data))
    assert outbox.count("set_aside") == 0, "the file was used"


def test_a_rewritten_recording_is_no_capture_and_is_not_reported_again(tmp_path: Path, outbox: Outbox) -> None:
    put(tmp_path / "in", simple_wav(pcm(), 0, 0))
    run_once(tmp_path / "in", outbox)
    put(tmp_path / "in", wav(chunk(b"fmt ", FORMAT), chunk(b"data", pcm()), chunk(b"LIST", b"INFO")), 1_700_000_100)
    again = run_once(tmp_path / "in", outbox)
    assert not [record for record in again if isinstance(record, (Event, SetAside))]
    assert sum(record.captures for record in again if isinstance(record, Effort)) == 0
    assert outbox.count("events") == 1


def test_the_server_tells_a_report_about_an_analysed_file_from_one_that_was_set_aside() -> None:
    report = SetAside(
        report_id="0195d0a1-0000-7000-8000-00000000a51d",
        station="lake-07",
        sensor="ear",
        at=datetime(2026, 5, 1, tzinfo=UTC),
        name="a.wav",
        reason="a.wav: its header was never finished",
        size=100,
    )
    for analysed, reason in ((False, "file"), (True, "remark")):
        payload = encode(msgspec.structs.replace(report, analysed=analysed))
        batch = read_batch([ReceivedMessage("wildpost/v1/lake-07/setaside", payload, datetime(2026, 5, 1, tzinfo=UTC))])
        assert [item.reason for item in batch.unusable] == [reason]
