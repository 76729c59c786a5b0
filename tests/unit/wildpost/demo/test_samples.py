"""The demo takes sample files by what they are, past whatever else a folder holds."""

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.pictures import grey_jpeg
from wildpost.demo.demo import copy_samples
from wildpost.demo.samples import NoSamples, Samples, find_samples

PICTURE = grey_jpeg()


def test_samples_are_sorted_by_their_first_bytes(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "x.wav", np.zeros(8000, np.float32), 8000)
    (tmp_path / "x.wav").rename(tmp_path / "IMG_0001.JPG")
    (tmp_path / "night.wav").write_bytes(PICTURE)
    (tmp_path / "text.jpg").write_text("no picture")
    (tmp_path / "loop.jpg").symlink_to("loop.jpg")
    (tmp_path / "@eaDir").mkdir()
    (tmp_path / "@eaDir" / "thumb.jpg").write_bytes(PICTURE)
    os.mkfifo(tmp_path / "pipe.jpg")
    found = find_samples(tmp_path, tmp_path, tmp_path)
    assert [path.name for path in found.pictures] == ["night.wav", "text.jpg"]
    assert [path.name for path in found.recordings] == ["IMG_0001.JPG"]


def test_a_folder_of_other_files_is_not_called_empty(tmp_path: Path) -> None:
    (tmp_path / "film.xyz").write_bytes(b"x")
    with pytest.raises(NoSamples, match=r"but 1 \.xyz"):
        find_samples(tmp_path, tmp_path, tmp_path)


def test_a_sample_that_cannot_be_copied_is_left_out_and_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = tmp_path / "good.jpg"
    good.write_bytes(PICTURE)
    (tmp_path / "demo").mkdir()
    inboxes = copy_samples(Samples((tmp_path / "vanished.jpg", good), (), "here"), tmp_path / "demo")
    assert [path.name for path in inboxes["camera"].iterdir()] == ["good.jpg"]
    assert "vanished.jpg: No such file or directory; left out" in capsys.readouterr().err
