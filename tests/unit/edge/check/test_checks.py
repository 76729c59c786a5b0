"""What `wildpost station check` says of pictures, sounds, folders, cameras, disk and clock: real files and faults."""

import os
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import cv2
import numpy as np
import pytest
import soundfile

from captures.decoded import Sound, Unreadable
from captures.picture import read_picture
from edge.capture.camera import CameraOptions
from edge.check import Finding, machine, sensors
from edge.check.measures import measure_picture, measure_sound
from edge.instance_lock import instance_lock, lock_holder
from edge.outbox.outbox import Outbox, OutboxMessage
from tests.recordings import pcm, simple_wav

NOW = datetime(2026, 6, 1, 4, 0, tzinfo=UTC)


def grey(value: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.full((480, 640, 3), value, np.uint8)


def test_real_pictures_are_neither_dark_nor_blurred_and_one_out_of_focus_is(shared_data: Path) -> None:
    looked = 0
    for path in sorted((shared_data / "samples" / "pictures").iterdir()):
        try:
            pixels = read_picture(path, 640).pixels
        except Unreadable:
            continue  # two of the samples are cut off or broken
        assert measure_picture(pixels).complaint == "", path.name
        unfocused = np.asarray(cv2.GaussianBlur(pixels, (0, 0), 12), np.uint8)
        assert "blurred" in measure_picture(unfocused).complaint, path.name
        looked += 1
    assert looked >= 5


@pytest.mark.parametrize(("value", "said"), [(0, "dark"), (255, "overexposed"), (110, "blurred")])
def test_a_covered_lens_is_named(value: int, said: str) -> None:
    assert said in measure_picture(grey(value)).complaint


def test_a_sine_of_full_scale_has_three_decibels_less_than_full_scale_and_its_peaks_clip() -> None:
    sine = np.sin(np.arange(48_000) / 10).astype(np.float32)
    measured = measure_sound(Sound(sine, 48_000))
    assert (measured.mean_dbfs, measured.peak_dbfs) == (-3.0, 0.0)
    assert measured.clipped_share > 0.01
    assert measure_sound(Sound(sine / np.float32(10), 48_000)).clipped_share == 0
    assert measure_sound(Sound(np.zeros(48_000, np.float32), 48_000)).mean_dbfs == -120


def folder(path: Path) -> Finding:
    return sensors.folder("yard", path, UTC, NOW)


def test_a_folder_that_is_not_there_is_named_with_what_to_do(tmp_path: Path) -> None:
    found = folder(tmp_path / "card")
    assert found.state == "fails"
    assert str(tmp_path / "card") in found.found
    assert "mount" in found.next_step


def test_an_empty_folder_is_to_be_tried_out(tmp_path: Path) -> None:
    found = folder(tmp_path)
    assert (found.state, found.figures["captures"]) == ("doubtful", 0)


def test_of_a_folder_the_newest_file_is_measured(tmp_path: Path, shared_data: Path) -> None:
    good = next(iter(sorted((shared_data / "samples" / "pictures").rglob("*.jpg"))))
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "20260531_080000.jpg").write_bytes(good.read_bytes())
    (tmp_path / ".hidden.jpg").write_bytes(b"")
    found = folder(tmp_path)
    assert (found.state, found.figures["captures"]) == ("works", 1)
    assert isinstance(found.figures["brightness_percent"], float)


def test_a_recording_in_a_folder_is_measured_and_its_clipping_named(tmp_path: Path) -> None:
    loud = np.clip(np.sin(np.arange(96_000) / 10) * 4, -1, 1)
    soundfile.write(tmp_path / "20260531_080000.wav", loud, 48_000)
    found = folder(tmp_path)
    assert (found.state, found.figures["newest_time_source"]) == ("doubtful", "name")
    assert "gain" in found.next_step


@pytest.mark.parametrize(
    ("second", "fault", "step"),
    [(0, "channel 2 is dead", "microphone of that channel"), (-1, "channel 2 is inverted", "swap the two wires")],
)
def test_a_broken_channel_of_the_newest_recording_is_named(second: int, fault: str, step: str, tmp_path: Path) -> None:
    tone = np.sin(np.arange(96_000) / 10) / 4
    soundfile.write(tmp_path / "20260531_080000.wav", np.stack((tone, second * tone), axis=1), 48_000)
    found = folder(tmp_path)
    assert found.state == "doubtful"
    assert fault in found.found and fault in str(found.figures["channel_faults"])
    assert step in found.next_step


def test_an_unfinished_header_of_the_newest_recording_is_named(tmp_path: Path) -> None:
    (tmp_path / "20260531_080000.wav").write_bytes(simple_wav(pcm(), 0, 0))
    found = folder(tmp_path)
    assert (found.state, "its header was never finished" in found.found) == ("doubtful", True)
    assert "battery" in found.next_step


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "IMG_1.JPG").write_bytes(b"\xff\xd8\xff half of it")
    found = folder(tmp_path)
    assert found.state == "doubtful"
    assert "IMG_1.JPG" in found.found


def test_a_camera_whose_clock_is_ahead_is_noticed(tmp_path: Path, shared_data: Path) -> None:
    good = next(iter(sorted((shared_data / "samples" / "recordings").glob("*.flac"))))
    (tmp_path / "20270101_000000.flac").write_bytes(good.read_bytes())
    found = folder(tmp_path)
    assert found.state == "doubtful"
    assert "clock" in found.next_step


def test_a_camera_whose_clock_was_reset_is_noticed(tmp_path: Path, shared_data: Path) -> None:
    good = next(iter(sorted((shared_data / "samples" / "recordings").glob("*.flac"))))
    (tmp_path / "20000101_001233.flac").write_bytes(good.read_bytes())
    found = folder(tmp_path)
    assert (found.state, found.figures["newest_time_source"]) == ("doubtful", "none")
    assert "2000-01-01 00:12 is no time of a running clock" in found.next_step
    copied = (tmp_path / "20000101_001233.flac").rename(tmp_path / "a.flac")
    os.utime(copied, (NOW.timestamp(), NOW.timestamp()))
    assert folder(tmp_path).state == "works"


def video(path: Path, value: int | None) -> Path:
    """A film of noise, or of one grey."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (320, 240))
    random = np.random.default_rng(1)
    for _ in range(12):
        frame = random.integers(0, 255, (240, 320, 3), np.uint8) if value is None else grey(value)[:240, :320]
        writer.write(frame)
    writer.release()
    return path


def test_a_camera_gives_a_frame_with_its_figures(tmp_path: Path) -> None:
    found, frame = sensors.camera("lens", CameraOptions(device=str(video(tmp_path / "noise.avi", None))), None)
    assert found.state == "works"
    assert frame is not None
    assert (found.figures["width"], found.figures["height"], frame.shape) == (320, 240, (240, 320, 3))


def test_a_camera_with_its_cap_on_is_to_be_looked_at(tmp_path: Path) -> None:
    found, _ = sensors.camera("lens", CameraOptions(device=str(video(tmp_path / "black.avi", 0))), None)
    assert found.state == "doubtful"
    assert "cap" in found.next_step


def test_a_camera_that_is_not_there_fails_unless_the_running_station_may_hold_it(tmp_path: Path) -> None:
    options = CameraOptions(device=str(tmp_path / "unplugged"))
    assert sensors.camera("lens", options, None)[0].state == "fails"
    found, frame = sensors.camera("lens", options, 4711)
    assert (found.state, frame) == ("doubtful", None)
    assert "4711" in found.found


def test_a_camera_s_password_is_not_shown() -> None:
    options = CameraOptions(device="rtsp://ranger:s3cret@127.0.0.1:1/stream")
    found, _ = sensors.camera("gate", options, None)
    assert found.state == "fails"
    assert "s3cret" not in f"{found}"
    assert "rtsp://***@127.0.0.1:1/stream" in found.found


def test_a_disk_too_small_for_the_quota_is_to_be_looked_at(tmp_path: Path) -> None:
    assert machine.disk(tmp_path / "stations" / "a", 1).state == "works"
    found = machine.disk(tmp_path / "stations" / "a", 10**18)
    assert found.state == "doubtful"
    assert "media_quota_bytes" in found.next_step
    assert not (tmp_path / "stations").exists(), "looking makes nothing"


def test_a_disk_that_cannot_be_written_fails() -> None:
    assert machine.disk(Path("/proc/wildpost"), 1).state == "fails"


def test_what_waits_in_the_outbox_is_counted_and_a_broken_one_named(tmp_path: Path) -> None:
    assert machine.outbox(tmp_path).state == "works"
    assert not (tmp_path / "outbox.sqlite").exists()
    with closing(Outbox(tmp_path / "outbox.sqlite")) as outbox:
        outbox.commit([OutboxMessage("a", b"1"), OutboxMessage("a", b"2")], events=1)
        assert machine.outbox(tmp_path).figures["waiting"] == 2
        outbox.set_aside(outbox.waiting(1)[0], "too large")
        found = machine.outbox(tmp_path)
        assert (found.state, found.figures["unsendable"]) == ("doubtful", 1)
    (tmp_path / "outbox.sqlite").write_bytes(b"not a database" * 100)
    assert machine.outbox(tmp_path).state == "fails"


def test_a_clock_that_was_never_set_fails() -> None:
    found = machine.clock(datetime(1970, 1, 1, 0, 5, tzinfo=UTC), "+08:00")
    assert found.state == "fails"
    assert "timedatectl" in found.next_step


def test_the_clock_names_both_zones() -> None:
    found = machine.clock(NOW + timedelta(days=1), "-03:30")
    assert "-03:30" in found.found
    assert found.state in ("works", "doubtful")


def test_who_holds_a_station_is_named_while_it_does(tmp_path: Path) -> None:
    assert lock_holder(tmp_path) is None
    with instance_lock(tmp_path):
        assert lock_holder(tmp_path) == os.getpid()
    assert lock_holder(tmp_path) is None


def test_a_finding_that_does_not_work_has_a_next_step() -> None:
    with pytest.raises(ValueError, match="next step"):
        Finding("fails", "camera", "gone")
    with pytest.raises(ValueError, match="next step"):
        Finding("works", "camera", "there", "do something")
