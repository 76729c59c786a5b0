"""Films of cards and cell cameras are looked through by time and motion; damaged ones are used or refused."""

import struct
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path

import av
import cv2
import numpy as np
import psutil
import pytest
from numpy.typing import NDArray

from captures.decoded import Unreadable
from captures.decoding.film_clip import LONGEST_PX, MAX_BYTES
from captures.decoding.film_frames import CHOSEN
from captures.decoding.process import DecoderLimits
from captures.film import CLIP_LENGTH_S, film_clip, read_film, read_film_sound
from captures.picture import read_picture
from tests.films import RATE_HZ, scene, turn_right, write_film

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def no_decoder_is_left() -> Iterator[None]:
    yield
    assert [one for one in psutil.Process().children() if "captures.decoding.worker" in " ".join(one.cmdline())] == []


@pytest.mark.parametrize(
    ("name", "codec", "sound"),
    [
        ("a.avi", "mjpeg", "pcm_s16le"),
        ("a.mp4", "libx264", "aac"),
        ("a.mov", "libx265", ""),
        ("a.mkv", "mpeg4", "libmp3lame"),
        ("a.webm", "libvpx", "libopus"),
        ("a.ts", "libx264", "aac"),
    ],
)
def test_a_film_of_each_form_gives_its_frames_and_its_length(tmp_path: Path, name: str, codec: str, sound: str) -> None:
    film = read_film(write_film(tmp_path / name, codec=codec, sound=sound))
    assert film.head.problem == ""
    assert (film.head.width, film.head.height) == (320, 240)
    assert film.head.has_sound is bool(sound)
    assert film.head.duration_s == pytest.approx(4.0, abs=0.3)
    assert len(film.frames) == CHOSEN
    assert [one.at_s for one in film.frames] == sorted(one.at_s for one in film.frames)
    picture = read_picture(film.frames[0].jpeg, 320)
    assert picture.pixels.shape == (240, 320, 3)


def test_the_frames_with_motion_are_chosen(tmp_path: Path) -> None:
    def mostly_still() -> list[NDArray[np.uint8]]:
        pictures = [np.full((240, 320, 3), 80, np.uint8) for _ in range(160)]
        for at in (5, 45, 115):
            cv2.circle(pictures[at], (160, 120), 60, (255, 255, 255), -1)
        return pictures

    film = read_film(write_film(tmp_path / "a.avi", seconds=16, frames=iter(mostly_still())))
    assert [one.at_s for one in film.frames if one.moved > 0.1] == [0.5, 4.5, 11.5]


@pytest.mark.parametrize("key_every", [5, 400])
def test_a_long_film_is_looked_at_as_often_as_a_short_one(tmp_path: Path, key_every: int) -> None:
    path = write_film(tmp_path / "a.mp4", codec="libx264", seconds=80, rate=5, size=(64, 48), key_every=key_every)
    film = read_film(path)
    assert len(film.frames) == CHOSEN
    assert film.frames[-1].at_s > 70
    assert film.head.duration_s == pytest.approx(80, abs=0.5)


def test_a_variable_frame_rate_is_followed(tmp_path: Path) -> None:
    times = [0, 1, 2, 3, 50, 51, 52, 200]
    path = write_film(tmp_path / "a.mkv", codec="libx264", seconds=0.8, times=times)
    film = read_film(path)
    assert [one.at_s for one in film.frames] == [0.0, 5.0, 20.0]


def test_a_film_of_a_turned_camera_is_upright(tmp_path: Path) -> None:
    path = write_film(tmp_path / "a.mp4", codec="libx264", frames=iter([scene(0, 320, 240)] * 10))
    turn_right(path)
    film = read_film(path)
    assert (film.head.width, film.head.height) == (240, 320)
    pixels = read_picture(film.frames[0].jpeg, 320).pixels
    assert pixels.shape == (320, 240, 3)
    # The disc is at the left edge of the frames: at the top after a quarter turn to the right.
    assert pixels[10, 120].mean() > 200 and pixels[310, 120].mean() < 150
    with av.open(BytesIO(film_clip(film, 0.0)), "r") as clip:
        assert (clip.streams.video[0].width, clip.streams.video[0].height) == (240, 320)


def test_the_clip_is_small_short_and_silent(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    noise = (rng.integers(0, 256, (480, 854, 3), np.uint8) for _ in range(200))
    film = read_film(write_film(tmp_path / "a.avi", seconds=20, size=(854, 480), sound="pcm_s16le", frames=iter(noise)))
    data = film_clip(film, 10.0)
    assert data[4:8] == b"ftyp" and len(data) <= MAX_BYTES
    with av.open(BytesIO(data), "r") as clip:
        assert [stream.type for stream in clip.streams] == ["video"]
        video = clip.streams.video[0]
        assert video.codec_context.name == "h264" and video.codec_context.pix_fmt == "yuv420p"
        assert max(video.width, video.height) <= LONGEST_PX
        assert clip.duration is not None and clip.duration / av.time_base <= CLIP_LENGTH_S + 0.2
        assert "creation_time" not in clip.metadata


@pytest.mark.parametrize(("codec", "name"), [("libx264", "a.mp4"), ("mjpeg", "a.avi")])
def test_the_clip_shows_the_stretch_around_the_chosen_moment(tmp_path: Path, codec: str, name: str) -> None:
    pictures = [np.full((48, 64, 3), 30 if at < 150 else 220, np.uint8) for at in range(300)]
    film = read_film(write_film(tmp_path / name, codec=codec, seconds=30, size=(64, 48), frames=iter(pictures)))
    with av.open(BytesIO(film_clip(film, 25.0)), "r") as clip:
        shown = [frame.to_ndarray(format="gray").mean() for frame in clip.decode(video=0)]
    assert len(shown) == pytest.approx(80, abs=3)
    assert min(shown) > 180


@pytest.mark.parametrize(("name", "codec", "sound"), [("a.mp4", "libx264", "aac"), ("a.avi", "mjpeg", "pcm_s16le")])
def test_the_sound_track_is_decoded(tmp_path: Path, name: str, codec: str, sound: str) -> None:
    film = read_film(write_film(tmp_path / name, codec=codec, sound=sound, loud_s=(2.0, 4.0)))
    stretches = list(read_film_sound(film, NOON, rate_hz=RATE_HZ, stretch_s=1.5))
    samples = np.concatenate([one.samples for one in stretches])
    assert [one.taken_at for one in stretches[:3]] == [NOON + timedelta(seconds=s) for s in (0, 1.5, 3)]
    assert samples.size == pytest.approx(4 * RATE_HZ, abs=2_048)
    assert np.abs(samples[:RATE_HZ]).max() < 0.01 < 0.25 < np.abs(samples[3 * RATE_HZ :]).max()


def test_a_film_of_sound_alone_has_no_frames(tmp_path: Path) -> None:
    film = read_film(write_film(tmp_path / "a.mp4", codec="", sound="aac"))
    assert film.frames == () and film.head.has_sound and film.head.codec == ""


def test_a_film_without_sound_has_no_sound_track(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="no sound"):
        list(read_film_sound(read_film(write_film(tmp_path / "a.avi")), NOON))


def test_a_film_that_is_cut_off_is_used_to_the_break(tmp_path: Path) -> None:
    avi = write_film(tmp_path / "a.avi", seconds=8)
    avi.write_bytes(avi.read_bytes()[: avi.stat().st_size // 2])
    mp4 = write_film(tmp_path / "b.mp4", codec="libx264", seconds=8, index_first=True, size=(640, 480))
    mp4.write_bytes(mp4.read_bytes()[: mp4.stat().st_size * 2 // 3])
    for path in (avi, mp4):
        film = read_film(path)
        assert film.frames and 2 < film.head.duration_s < 7
        assert "cut off" in film.head.problem or "cannot be decoded" in film.head.problem


def test_an_avi_without_its_index_is_complete(tmp_path: Path) -> None:
    path = write_film(tmp_path / "a.avi")
    data = path.read_bytes()
    data = data[: data.rindex(b"idx1")]
    path.write_bytes(data[:4] + struct.pack("<I", 0) + data[8:])  # its camera lost power
    film = read_film(path)
    assert film.head.problem == "" and film.head.duration_s == pytest.approx(4, abs=0.1)


def test_what_cannot_be_used_is_refused_with_its_reason(tmp_path: Path) -> None:
    whole = write_film(tmp_path / "a.mp4", codec="libx264").read_bytes()
    empty, lost, text = tmp_path / "empty.avi", tmp_path / "lost.mp4", tmp_path / "text.mp4"
    empty.write_bytes(b"")
    lost.write_bytes(whole[: whole.rindex(b"moov") - 4])
    text.write_text("not a film")
    headers = tmp_path / "headers.avi"
    avi = write_film(tmp_path / "a.avi").read_bytes()
    headers.write_bytes(avi[: avi.index(b"movi") + 4])
    for path, reason in ((empty, "0 bytes"), (lost, "moov"), (text, "no known form"), (headers, "headers.avi: ")):
        with pytest.raises(Unreadable, match=reason):
            read_film(path)


def test_a_file_of_four_gigabytes_of_nothing_ends_soon(tmp_path: Path) -> None:
    path = tmp_path / "sparse.mp4"
    with path.open("wb") as file:
        file.write(b"\0\0\0\x18ftypisom\0\0\2\0isommp41\0\0\0\1mdat" + struct.pack(">Q", 1 << 32))
        file.truncate(1 << 32)
    with pytest.raises(Unreadable, match="moov"):
        read_film(path)


@pytest.mark.parametrize("seed", range(6))
def test_a_damaged_film_is_read_or_refused(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    name, codec = [("a.avi", "mjpeg"), ("a.mp4", "libx264"), ("a.mov", "libx265")][seed % 3]
    path = write_film(tmp_path / name, codec=codec, index_first=name != "a.avi", sound="aac" if seed == 1 else "")
    data = np.frombuffer(path.read_bytes(), np.uint8).copy()
    data[rng.integers(16, data.size, 60)] = rng.integers(0, 256, 60)
    path.write_bytes(data.tobytes())
    try:
        film = read_film(path)
    except Unreadable as error:
        assert str(error).startswith(name)
    else:
        assert all(read_picture(frame.jpeg, 320).width <= 1_920 for frame in film.frames)


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (DecoderLimits(patience_s=0.05), "more than 0.05 s"),
        (DecoderLimits(cpu_s=-1), "processor time"),  # it has used more before it begins
        (DecoderLimits(memory_bytes=200_000_000), "memory|process that decodes|failed"),
    ],
)
def test_a_film_that_takes_too_much_costs_only_its_process(tmp_path: Path, limits: DecoderLimits, reason: str) -> None:
    path = write_film(tmp_path / "a.mp4", codec="libx264", seconds=20, size=(1_920, 1_080))
    with pytest.raises(Unreadable, match=reason):
        read_film(path, limits)


def test_a_decoder_that_cannot_start_is_no_fault_of_the_film(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_film(tmp_path / "a.avi")
    monkeypatch.setattr("sys.executable", str(tmp_path / "missing"))
    with pytest.raises(OSError, match="missing"):
        read_film(path)
    (tmp_path / "ends").write_text("#!/bin/sh\nexit 3\n")
    (tmp_path / "ends").chmod(0o755)
    monkeypatch.setattr("sys.executable", str(tmp_path / "ends"))
    with pytest.raises(OSError, match="exit status 3"):
        read_film(path)


def test_a_decoder_that_stops_early_is_ended(tmp_path: Path) -> None:
    film = read_film(write_film(tmp_path / "a.avi", seconds=40, sound="pcm_s16le", size=(64, 48)))
    stretches = read_film_sound(film, NOON, stretch_s=1.0)
    next(stretches)
    stretches.close()  # type: ignore[attr-defined]


def test_the_tags_of_the_container_are_told(tmp_path: Path) -> None:
    path = write_film(tmp_path / "a.mp4", codec="libx264", tags={"creation_time": "2026-05-01T06:00:00Z"})
    assert read_film(path).head.tags["creation_time"].startswith("2026-05-01T06:00:00")
