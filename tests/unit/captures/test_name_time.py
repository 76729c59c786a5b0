"""Which file names have a time in them."""

# ruff: noqa: DTZ001 -- devices write times without a zone

from datetime import UTC, datetime, timedelta, timezone

import pytest

from captures.name_time import times_in_name
from captures.written_time import WrittenTime

EVENING = datetime(2026, 5, 1, 22, 10, 11)


def first(name: str, recording: bool = False) -> WrittenTime | None:
    return next(times_in_name(name, recording), None)


@pytest.mark.parametrize(
    "name",
    [
        "20260501_221011.jpg",
        "IMG_20260501_221011.jpg",
        "IMG20260501221011.jpg",
        "IMG_20260501_221011_HDR.jpg",
        "20260501_221011(0).jpg",
        "2026-05-01 22.10.11.jpg",
        "2026.05.01 22.10.11.jpg",
        "2026-05-01_22-10-11.jpg",
        "2026-05-01-22-10-11.jpg",
        "2026_05_01_22_10_11.jpg",
        "photo_2026-05-01_22-10-11.jpg",
        "signal-2026-05-01-221011.jpg",
        "WIN_20260501_22_10_11_Pro.jpg",
        "WhatsApp Image 2026-05-01 at 22.10.11.jpeg",
        "WhatsApp Image 2026-05-01 at 10.10.11 PM.jpeg",
        "WhatsApp Image 2026-05-01 at 10.10.11\u202fPM (2).jpeg",
        "微信图片_20260501221011.jpg",
        "2026年05月01日22时10分11秒.jpg",
        "SiteA__Cam1__2026-05-01__22-10-11(1).jpg",
        "860123456789012-28-4-05012026221011-SYFW00012.jpg",
        "000000000000000-28-4-05012026221011-SYFW00012.jpg",
        "Driveway_00_20260501221011.jpg",
        "NVR_ch1_main_20260501221011_20260501221511.mp4",
        "2026-05-01 22-10-11 M 1_3.JPG",
        "S4A01234_20260501_221011.wav",
        "SM304472_0+1_20260501$221011.wav",
        "24E144055E080032_20260501_221011.WAV",
        "20260501_221011T.WAV",
        "2026-05-01-birdnet-22:10:11.wav",
        "2026-05-01-birdnet-RTSP_1-22:10:11.wav",
        "Eurasian_Blackbird-85-2026-05-01-birdnet-22:10:11.mp3",
        "2026-05-01-birdnet-22\uf03a10\uf03a11.wav",
        "20260501221011.wav",
        "20261301_000000_20260501_221011.jpg",
        "20260501T221011_-18.2656+144.5564.flac",
        "20260501_221011-0001.jpg",
        "20260501_221011-01.jpg",
    ],
)
def test_a_time_in_the_name_is_found(name: str) -> None:
    assert first(name) == WrittenTime(EVENING)


def test_milliseconds_may_follow() -> None:
    for name in ("192.168.1.64_01_20260501221011123_MOTION_DETECTION.jpg", "2026-05-01 22.10.11.123.jpg"):
        assert first(name) == WrittenTime(EVENING.replace(microsecond=123_000))
    assert first("PXL_20260501_221011123.jpg") == WrittenTime(EVENING.replace(microsecond=123_000), UTC)


@pytest.mark.parametrize(
    ("name", "hours"),
    [
        ("20260501T221011Z.wav", 0),
        ("20260501_221011+1000.wav", 10),
        ("20260501T221011+1000_REC [-27.3888+152.8808].flac", 10),
        ("20260501T221011+0000_Rec2_-18.2656+144.5564.flac", 0),
        ("20260501T221011-0500_REC.wav", -5),
        ("2026-05-01T22-10-11+05:30.wav", 5.5),
        ("20260501T221011+10.wav", 10),
        ("20260501_221011_UTC.wav", 0),
        ("20260501_221011_UTC+8.wav", 8),
        ("2026-05-01 22.10.11 -0300.jpg", -3),
        ("20260501_221011_-0400.wav", -4),
        ("20260501_221011_0400.wav", None),
        ("20260501_221011_-1200x800.jpg", None),
    ],
)
def test_a_zone_in_the_name_is_read(name: str, hours: float | None) -> None:
    expected = None if hours is None else timezone(timedelta(hours=hours))
    assert first(name) == WrittenTime(EVENING, expected)


def test_audiomoths_first_firmware_named_recordings_by_the_unix_time_in_hexadecimal() -> None:
    assert first("5B3C8BF0.WAV", recording=True) == WrittenTime(datetime(2018, 7, 4, 8, 57, 20), UTC)
    assert first("5B3C8BF0.JPG") is None
    for name in ("20180704.WAV", "58123456.WAV", "5b3c8bf0.wav", "0B3C8BF0.WAV", "5B3C8BF0A.WAV"):
        assert first(name, recording=True) is None


@pytest.mark.parametrize(
    "name",
    [
        "20261301221011.jpg",
        "20260231221011.jpg",
        "20260501256011.jpg",
        "86013912345678.jpg",
        "202605012210.jpg",
        "2026050122101.jpg",
        "202605012210112.jpg",
        "120260501221011.jpg",
        "IMG-20260501-WA0012.jpg",
        "RCNX0001.JPG",
        "05012026221011.jpg",
        "IMG_0001.JPG",
        "2" * 255,
    ],
)
def test_numbers_that_are_no_time_are_none(name: str) -> None:
    assert first(name) is None
