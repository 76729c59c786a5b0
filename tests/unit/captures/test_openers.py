"""Files of stations and cards are opened in a few places, each of which checks them first."""

import re
from pathlib import Path

import pytest

from tests.repository import REPOSITORY

PACKAGES = ("contract", "captures", "i18n", "models", "casebook", "edge", "ingest", "pipelines", "review", "wildpost")
OPENERS = {
    r"\bImage\.open\(": {"captures/blurring.py", "captures/decoding/other_pictures.py"},
    r"\bimdecode\(": {
        "captures/picture.py",
        "captures/jpeg.py",
        "edge/media_rank.py",
    },  # the last one: its own thumbnail
    r"\bsimplejpeg\.decode": {"captures/jpeg.py"},
    r"\bimread\w*\(": set(),
    r"\bav\.open\(": {"captures/decoding/container.py", "captures/decoding/film_clip.py", "captures/packets.py"},
    r"\bVideoCapture\(": {"edge/capture/camera.py"},  # a camera, or the address of one
    r"\bsoundfile\.(SoundFile|read|blocks|info)\(": {
        "captures/clip.py",
        "bench/sound.py",  # writes one
    },
    r"\b(exifread|imageio|skimage|wave\.open|audioread|librosa\.load|torchaudio)\b": set(),
}


@pytest.mark.parametrize("pattern", OPENERS)
def test_a_decoder_is_called_in_its_place_only(pattern: str) -> None:
    sources = (path for name in (*PACKAGES, "bench") for path in (REPOSITORY / name).rglob("*.py"))
    found = {str(path.relative_to(REPOSITORY)) for path in sources if re.search(pattern, path.read_text())}
    assert found == OPENERS[pattern]


def test_pillow_opens_named_formats_only() -> None:
    text = Path(REPOSITORY / "captures/blurring.py").read_text()
    assert re.findall(r"Image\.open\(.*", text) == ['Image.open(BytesIO(data), formats=("JPEG", "PNG")) as opened:']
