"""Where the time of a capture comes from, and which times no running clock can have shown."""

from datetime import UTC, datetime, timedelta, timezone, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from captures.capture_time import picture_time, recording_time
from captures.name_time import times_in_name
from captures.written_time import parse_time
from contract.bounds import is_representable

EAST = timezone(timedelta(hours=8))
NOW = datetime(2026, 11, 28, 6, tzinfo=UTC)
COPIED = datetime(2026, 11, 20, 3, tzinfo=UTC)
ORIGINAL, DIGITIZED, CHANGED = 0x9003, 0x9004, 0x0132


def picture(path: Path, **fields: str) -> Path:
    exif = Image.Exif()
    inner = exif.get_ifd(0x8769)
    inner.update(
        {tag: fields[name] for name, tag in (("original", ORIGINAL), ("digitized", DIGITIZED)) if name in fields}
    )
    if "changed" in fields:
        exif[CHANGED] = fields["changed"]
    Image.new("RGB", (8, 8)).save(path, "JPEG", exif=exif)
    return path


def recording(path: Path) -> Path:
    soundfile.write(path, np.zeros(800), 8_000)
    return path


def read(
    path: Path,
    zone: tzinfo = EAST,
    copied: datetime = COPIED,
    now: datetime = NOW,
    deployed: datetime | None = None,
) -> tuple[str, str]:
    read_time = recording_time if path.suffix == ".wav" else picture_time
    moment, clock = read_time(path, zone, int(copied.timestamp()) * 10**9, now, deployed)
    assert not clock.synchronised
    return moment.astimezone(EAST).isoformat(timespec="seconds")[:19], clock.source


def test_exif_comes_before_the_name_and_both_before_the_time_of_copying(tmp_path: Path) -> None:
    name = "20260501_221011.jpg"
    assert read(picture(tmp_path / name, original="2026:05:02 00:00:00")) == ("2026-05-02T00:00:00", "exif")
    assert read(picture(tmp_path / name)) == ("2026-05-01T22:10:11", "name")
    assert read(picture(tmp_path / "IMG_0001.JPG")) == ("2026-11-20T11:00:00", "copy")
    assert read(recording(tmp_path / "20260501_221011.wav")) == ("2026-05-01T22:10:11", "name")
    assert read(recording(tmp_path / "a.wav")) == ("2026-11-20T11:00:00", "copy")


@pytest.mark.parametrize(
    "date",
    [
        "1970:01:01 00:12:33",
        "1980:01:01 00:00:00",
        "1904:01:01 00:00:00",
        "2000:01:01 00:12:33",
        "2000:01:01 12:00:00",
        "2012:01:01 00:00:07",
        "2015:01:01 00:59:59",
        "2099:05:01 22:10:11",
        "2026:11:30 06:00:00",
        "2569:05:01 22:10:11",
        "0001:01:01 00:00:00",
        "9999:12:31 23:59:59",
        "0002:01:01 00:00:00",
        "9998:12:31 23:59:59",
    ],
)
def test_a_time_that_no_running_clock_shows_is_not_known(date: str, tmp_path: Path) -> None:
    path = picture(tmp_path / "IMG_0001.JPG", original=date)
    for zone in (EAST, timezone(-timedelta(hours=12)), ZoneInfo("Asia/Shanghai"), ZoneInfo("America/New_York")):
        assert read(path, zone)[1] == "none"
    # another clock wrote the name
    path = picture(tmp_path / "20260501_221011.jpg", original=date)
    assert read(path) == ("2026-05-01T22:10:11", "name")


@pytest.mark.parametrize("date", ["01/01/0001", "31/12/9999", "01/01/1970", "01/01/2000"])
def test_a_recorder_whose_clock_was_not_set_has_no_known_time(date: str, tmp_path: Path) -> None:
    for zone in ("UTC", "UTC+12", "UTC-12"):
        path = tmp_path / "a.wav"
        with soundfile.SoundFile(path, "w", 8_000, 1) as file:
            file.comment = f"Recorded at 23:30:00 {date} ({zone}) by AudioMoth 0000 at gain setting 2."
            file.write(np.zeros(800))
        assert read(path)[1] == "none"


def test_an_implausible_time_is_kept_so_that_it_can_be_corrected(tmp_path: Path) -> None:
    path = picture(tmp_path / "IMG_0001.JPG", original="2000:01:01 00:12:33", changed="2026:06:01 00:00:00")
    assert read(path) == ("2000-01-01T00:12:33", "none")
    path = picture(tmp_path / "20990501_221011.jpg")
    assert read(path) == ("2099-05-01T22:10:11", "none")


@pytest.mark.parametrize(
    "date",
    ["2012:01:01 01:00:00", "2012:01:02 00:00:00", "2026:01:01 00:12:33", "2026:11:28 20:00:00", "2006:02:10 17:06:43"],
)
def test_a_time_near_to_such_a_one_is_believed(date: str, tmp_path: Path) -> None:
    assert read(picture(tmp_path / "IMG_0001.JPG", original=date))[1] == "exif"


def test_a_time_before_the_deployment_is_not_known(tmp_path: Path) -> None:
    deployed = datetime(2026, 5, 1, 9, tzinfo=EAST)
    path = picture(tmp_path / "IMG_0001.JPG", original="2026:04:28 09:00:00")
    assert read(path, deployed=deployed)[1] == "none"
    assert read(path)[1] == "exif"
    on_the_way = picture(tmp_path / "IMG_0002.JPG", original="2026:05:01 07:00:00")
    assert read(on_the_way, deployed=deployed)[1] == "exif"


def test_a_machine_without_a_clock_measures_the_future_by_the_file(tmp_path: Path) -> None:
    path = picture(tmp_path / "IMG_0001.JPG", original="2026:11:19 09:00:00")
    unset = datetime(1970, 1, 1, 0, 5, tzinfo=UTC)
    assert read(path, now=unset)[1] == "exif"
    assert read(picture(tmp_path / "IMG_0002.JPG", original="2099:11:19 09:00:00"), now=unset)[1] == "none"


@pytest.mark.parametrize("copied", [datetime(1980, 1, 1, tzinfo=UTC), datetime(2099, 1, 1, tzinfo=UTC)])
def test_a_time_of_copying_by_a_wrong_clock_is_not_known(copied: datetime, tmp_path: Path) -> None:
    assert read(picture(tmp_path / "IMG_0001.JPG"), copied=copied)[1] == "none"


def test_a_named_zone_has_its_summer_time(tmp_path: Path) -> None:
    berlin = ZoneInfo("Europe/Berlin")
    summer = picture(tmp_path / "IMG_0001.JPG", original="2026:07:01 12:00:00")
    winter = picture(tmp_path / "IMG_0002.JPG", original="2026:02:01 12:00:00")
    assert read(summer, berlin)[0] == "2026-07-01T18:00:00"
    assert read(winter, berlin)[0] == "2026-02-01T19:00:00"


@pytest.mark.parametrize(
    ("name", "moment"),
    [
        ("exif-samples__Reconyx_HC500_Hyperfire.jpg", "2020-03-16T10:00:00"),
        ("jpg__Reconyx_HC500_firmware_3.3.0.jpg", "2015-05-07T08:08:31"),
        ("jpg__Reconyx_HF2_Pro_Covert.jpg", "2019-04-04T10:04:12"),
        ("jpg__Bushnell_Trophy_HD_Aggressor_119775C_firmware_BS685BWYx08237.jpg", "2015-08-03T04:30:58"),
    ],
)
def test_pictures_of_trail_cameras_read_as_other_readers_read_them(name: str, moment: str, shared_data: Path) -> None:
    path = shared_data / "reference" / "formats" / "jpeg_makernotes" / name
    assert read(path) == (moment, "exif")


def test_the_cases_of_wrong_and_missing_times_read_as_they_must(shared_data: Path) -> None:
    station, sound = shared_data / "cases" / "station", shared_data / "cases" / "sound"
    for path in (station / "exif-date-forms").glob("*.jpg"):
        taken = "2026-05-02T00:04:20" if path.stem == "hour24" else "2026-05-01T22:10:11"
        assert read(path) == (taken, "exif"), path.name
    for path in (station / "dates-in-names").glob("*.jpg"):
        assert read(path) == ("2026-05-01T22:10:11", "name"), path.name
    for path in (station / "clock-reset-exif").glob("*.jpg"):
        assert read(path)[1] == "none", path.name
    for path, expected in (
        *((path, ("2018-07-04T16:50:24", "recorder")) for path in (sound / "audiomoth-first-firmware").glob("*.wav")),
        *((path, ("2025-08-13T14:00:00", "name")) for path in (sound / "time-of-copying-not-told-apart").glob("*.wav")),
        (sound / "time-in-guano-or-bext" / "site_A.wav", ("2026-05-21T05:30:00", "recorder")),
        (sound / "zone-in-the-file-name" / "20250813T140000-0500_REC.wav", ("2025-08-14T03:00:00", "name")),
    ):
        assert read(path) == expected, path.name


_LETTERS = "0123456789:-_. /TZ+$PMAMat\x1d\u0664年月日下午UTC"


@given(
    text=st.one_of(st.text(_LETTERS, max_size=60), st.from_regex(r"\d{4}[:-][ \x1d]?\d{1,2}:\d\d[ T]\d\d:\d\d:\d\d.*"))
)
def test_no_text_and_no_name_stops_the_reading(text: str) -> None:
    for time in (parse_time(text), *times_in_name(text[:255], recording=True)):
        if time is not None and is_representable(time.local):
            time.at(EAST)
