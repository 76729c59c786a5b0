"""What a file's reader says of a broken file is said in a sentence that a ranger can act on."""

import re
from pathlib import Path
from zoneinfo import ZoneInfo

import cv2
import numpy as np
import pytest
import soundfile

from captures.decoded import Unreadable
from captures.picture import read_picture
from captures.sound import read_stretches
from i18n.file_problems import explain_file_problem
from i18n.language import load_languages

LANGUAGES = load_languages(ZoneInfo("Asia/Shanghai"))
PICTURE = cv2.imencode(".jpg", np.random.default_rng(1).integers(0, 255, (60, 80, 3), np.uint8))[1].tobytes()


def refusal(path: Path) -> str:
    """Hear what the real reader says."""
    with pytest.raises(Unreadable) as raised:
        if path.suffix == ".jpg":
            read_picture(path, 320)
        else:
            list(read_stretches(path))
    return str(raised.value)


@pytest.mark.parametrize(
    ("name", "data", "sentence"),
    [
        ("empty.jpg", b"", "The file is empty"),
        ("start.jpg", PICTURE[:200], "is incomplete"),
        ("torn.jpg", PICTURE[:40] + b"\0" * 400, "is damaged"),
        ("words.jpg", b"no picture at all", "not a picture"),
        ("empty.wav", b"", "The file is empty"),
        ("words.wav", b"no sound at all", "not a readable recording"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_in_both_languages(
    tmp_path: Path, name: str, data: bytes, sentence: str
) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    detail = refusal(path)
    assert sentence in explain_file_problem(detail, LANGUAGES["en"]), detail
    assert re.search("[\u4e00-\u9fff]", explain_file_problem(detail, LANGUAGES["zh_CN"]))


def test_a_recording_without_a_sample_is_said_to_hold_no_sound(tmp_path: Path) -> None:
    path = tmp_path / "silent.wav"
    soundfile.write(path, np.zeros(0, np.float32), 48_000)
    assert "no sound in this recording" in explain_file_problem(refusal(path), LANGUAGES["en"])


@pytest.mark.parametrize(
    ("detail", "sentence"),
    [
        ("DCIM/1.jpg: Too many levels of symbolic links", "is a link"),
        ("1.jpg: a link to a file outside the watched folder: expected the file itself", "is a link"),
        ("/card/1.jpg: Permission denied; tried again later", "may not read"),
        ("DCIM/1.jpg: Structure needs cleaning", "memory card is damaged"),
        ("/card/1.jpg: Input/output error; tried again later", "memory card is damaged"),
        ("IMG.jpg: a PDF file by its first bytes: expected a picture or a recording", "what its name says"),
        ("IMG.jpg: of an unknown form by its first bytes: expected a picture or a recording", "what its name says"),
    ],
)
def test_what_is_wrong_with_an_entry_is_said_in_both_languages(detail: str, sentence: str) -> None:
    assert sentence in explain_file_problem(detail, LANGUAGES["en"])
    assert re.search("[\u4e00-\u9fff]", explain_file_problem(detail, LANGUAGES["zh_CN"]))


def test_what_is_wrong_with_a_damaged_picture_is_said_in_both_languages() -> None:
    for damage, sentence in (("cut off after 9 bytes: its end", "incomplete"), ("broken inside: 512 zero", "damaged")):
        assert sentence in explain_file_problem(damage, LANGUAGES["en"])


def test_what_nobody_foresaw_is_left_to_its_own_words() -> None:
    assert explain_file_problem("PNG of 0 x 7 pixels", LANGUAGES["zh_CN"]) == ""


@pytest.mark.parametrize(
    ("remark", "sentence"),
    [
        ("its header was never finished", "interrupted before it finished"),
        ("the header says 9 bytes of sound and more follow (sizes wrap at 4 GiB)", "longer than its header says"),
        ("cut off: the header says 9 bytes of sound", "was cut off"),
        ("cut off inside its last block", "was cut off"),
        ("damaged inside: 0.5 s of sound are missing", "is damaged"),
        ("channel 1 is dead (-100 dBFS, another -30)", "no signal"),
        ("channel 2 is inverted (correlation -1.00)", "is inverted"),
        ("channel 2 is clipped (40 % of the samples at full scale)", "is overdriven"),
        ("channel 2 is noisy (-12 dBFS of noise)", "nothing but noise"),
    ],
)
def test_what_is_wrong_with_an_analysed_recording_is_said_in_both_languages(remark: str, sentence: str) -> None:
    detail = f"a.wav: {remark}; all 3.0 s of sound that are there were analysed"
    assert sentence in explain_file_problem(detail, LANGUAGES["en"])
    assert re.search("[\u4e00-\u9fff]", explain_file_problem(detail, LANGUAGES["zh_CN"]))
