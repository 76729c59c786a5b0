"""What recorders write into their files about the start of a recording."""

# ruff: noqa: DTZ001 -- devices write times without a zone

import struct
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from captures.recorder_time import audiomoth_time, read_recorder_times
from captures.written_time import WrittenTime
from tests.recordings import FORMAT, chunk, wav

DAWN = datetime(2026, 5, 21, 5, 30)
EAST = timezone(timedelta(hours=8))


def recording(before: bytes = b"", after: bytes = b"", data_size: int | None = None, kind: bytes = b"RIFF") -> bytes:
    return wav(chunk(b"fmt ", FORMAT), before, chunk(b"data", bytes(800), data_size), after, riff=kind)


def guano(time: str) -> bytes:
    return chunk(b"guan", f"GUANO|Version: 1.0\nMake: Maker\nTimestamp:{time}\nNote: x".encode())


def wamd(time: bytes, version: int = 1) -> bytes:
    parts = ((0, struct.pack("<H", version)), (1, b"SM4"), (5, time))
    return chunk(b"wamd", b"".join(struct.pack("<HI", part, len(value)) + value for part, value in parts))


def bext(date: bytes, time: bytes) -> bytes:
    return chunk(b"bext", bytes(320) + date + time + bytes(264))


def info(**texts: str) -> bytes:
    parts = b"".join(chunk(name.encode(), text.encode() + b"\0") for name, text in texts.items())
    return chunk(b"LIST", b"INFO" + parts)


def times(tmp_path: Path, data: bytes) -> list[WrittenTime]:
    path = tmp_path / "a.wav"
    path.write_bytes(data)
    return read_recorder_times(path)


@pytest.mark.parametrize(
    ("part", "zone"),
    [
        (guano("2026-05-21T05:30:00+08:00"), EAST),
        (guano(" 2026-05-21 05:30:00+0800"), EAST),
        (guano("2026-05-21T05:30:00Z"), UTC),
        (guano("2026-05-21T05:30:00"), None),
        (wamd(b"2026-05-21 05:30:00+08:00"), EAST),
        (wamd(b"2026-05-21 05:30:00\0"), None),
        (bext(b"2026-05-21", b"05:30:00"), None),
        (bext(b"2026:05:21", b"05-30-00"), None),
        (bext(b"2026_05_21", b"05.30.00"), None),
        (info(ICMT="Recorded at 05:30:00 21/05/2026 (UTC+8) by AudioMoth 0123456789ABCDEF"), EAST),
        (info(ICMT="Recorded at 05:30:00 21/05/2026 by AudioMoth 0123456789ABCDEF at gain setting 2"), UTC),
        (info(IART="AudioMoth", ICRD="2026-05-21 05:30:00"), None),
    ],
)
def test_the_start_is_read_before_and_after_the_sound(part: bytes, zone: timezone | None, tmp_path: Path) -> None:
    expected = [WrittenTime(DAWN, zone)]
    assert times(tmp_path, recording(before=part)) == expected
    assert times(tmp_path, recording(after=part)) == expected


def test_times_with_a_zone_come_first(tmp_path: Path) -> None:
    both = guano("2026-05-21T05:30:00") + wamd(b"2026-05-21 05:30:00+08:00")
    assert times(tmp_path, recording(after=both)) == [WrittenTime(DAWN, EAST), WrittenTime(DAWN)]


@pytest.mark.parametrize("size", [0, 2**32 - 1, 2**31])
@pytest.mark.parametrize("part", [guano("2026-05-21T05:30:00+08:00"), wamd(b"2026-05-21 05:30:00+08:00")])
def test_a_wrong_size_of_the_sound_hides_no_time(part: bytes, size: int, tmp_path: Path) -> None:
    assert times(tmp_path, recording(after=part, data_size=size)) == [WrittenTime(DAWN, EAST)]


def test_files_over_4_gb_are_walked_by_their_64_bit_size(tmp_path: Path) -> None:
    size = chunk(b"ds64", struct.pack("<QQQI", 2_000, 800, 400, 0))
    data = recording(before=size, after=bext(b"2026-05-21", b"05:30:00"), data_size=2**32 - 1, kind=b"RF64")
    assert times(tmp_path, data) == [WrittenTime(DAWN)]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"RIFF",
        recording(),
        recording(after=guano("2026-13-21T05:30:00")),
        recording(after=wamd(b"2026-05-21 05:30:00", version=2)),
        recording(after=chunk(b"wamd", b"\5\0\xff\xff\xff\xff")),
        recording(after=bext(bytes(10), bytes(8))),
        recording(after=bext(b"0000-00-00", b"00:00:00")),
        recording(before=chunk(b"LIST", b"INFO" + b"ICMT\xff\xff\xff\xff")),
        recording(before=b"junk\0\0\0\0" * 1_000, after=bext(b"2026-05-21", b"05:30:00")),
        b"fLaC" + bytes(100),
    ],
)
def test_files_without_a_time_have_none(data: bytes, tmp_path: Path) -> None:
    assert times(tmp_path, data) == []


def test_a_voice_note_inside_a_chunk_is_not_searched(tmp_path: Path) -> None:
    inside = chunk(b"junk", guano("2020-01-02T00:00:00"))
    assert times(tmp_path, recording(after=guano("2026-05-21T05:30:00+08:00") + inside))[0] == WrittenTime(DAWN, EAST)


@pytest.mark.parametrize(
    ("comment", "expected"),
    [
        ("Recorded at 05:30:00 21/05/2026 (UTC) by AudioMoth", WrittenTime(DAWN, UTC)),
        ("Recorded at 05:30:00 21/05/2026 (UTC+8) by AudioMoth", WrittenTime(DAWN, EAST)),
        ("Recorded at 05:30:00 21/05/2026 (UTC+8:00) during deployment 0123", WrittenTime(DAWN, EAST)),
        ("Recorded at 05:30:00.250 21/05/2026 (UTC)", WrittenTime(DAWN.replace(microsecond=250_000), UTC)),
        ("Recorded at 05:30:00 21/05/2026 (UTC+99) by AudioMoth", None),
        ("Recorded at 05:30:00 31/02/2026 (UTC) by AudioMoth", None),
        ("Recorded at dawn", None),
    ],
)
def test_comments_of_all_firmware_are_read(comment: str, expected: WrittenTime | None) -> None:
    assert audiomoth_time(comment) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("20240903_193130T_audiomoth_1.10.1_guano.WAV", "2024-09-03T19:31:30+01:00"),
        ("20240903_202615T_audiomoth_1.10.1_guano_cut.WAV", "2024-09-03T20:26:15+01:00"),
        ("20220815_213414_echometer_guano_wamd_cut.wav", "2022-08-15T21:34:14+01:00"),
        ("0166_20240531_223911_batlogger_guano_cut.wav", "2024-05-31T22:39:11+08:00"),
    ],
)
def test_files_of_real_recorders_read_as_other_readers_read_them(name: str, expected: str, shared_data: Path) -> None:
    found = read_recorder_times(shared_data / "reference" / "formats" / "audio" / name)
    assert found[0].at(EAST).isoformat() == expected
