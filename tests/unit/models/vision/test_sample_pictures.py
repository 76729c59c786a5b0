"""The COCO network on real camera-trap pictures: only what holds, and the same on both runtimes."""

import shutil
from pathlib import Path

import pytest

from captures.decoded import Picture, Unreadable
from captures.picture import read_picture
from contract import Detection
from models.factory import open_vision
from models.port import Detector
from models.registry import WeightsError, WeightsMismatch
from models.vision import PreparedPicture, VisionDetector, VisionOptions
from models.vision.runtimes import RuntimeName


@pytest.fixture(scope="module")
def weights(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    shutil.copyfile(shared_data / "weights" / "yolox_nano_416_coco.onnx", folder / "yolox_nano.onnx")
    return folder


@pytest.fixture(scope="module")
def detector(weights: Path) -> VisionDetector:
    return open_vision("yolox-nano", weights, VisionOptions(threads=2))


def types(found: list[Detection]) -> set[str]:
    return {detection.observation_type for detection in found}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("samples/pictures/2021-07-24_SYFR0655_coyote.JPG", {"animal"}),
        ("samples/pictures/2021-08-08_RCNX0063_fox.JPG", {"animal"}),
        ("samples/pictures/IMAG0046_bobcat.JPG", {"animal"}),
        ("samples/pictures/owl.JPG", {"animal"}),
        ("samples/pictures/vehicle.jpg", {"vehicle"}),
        ("samples/pictures/blank.jpg", set()),
        ("samples/pictures/B013_IMG_0005_empty.jpeg", set()),
        ("reference/edge_pictures/african_elephants_bw.jpg", {"animal"}),
        ("reference/edge_pictures/african_elephants_cmyk.jpg", {"animal"}),
        ("reference/edge_pictures/african_elephants_with_exif_orientation.jpg", {"animal"}),
    ],
)
def test_what_is_in_a_picture_is_found(
    detector: VisionDetector, shared_data: Path, name: str, expected: set[str]
) -> None:
    (found,) = detector.predict([detector.preprocess(shared_data / name)])
    assert types(found) == expected
    assert [detection.ordinal for detection in found] == list(range(len(found)))
    assert all(detection.confidence >= 0.25 and detection.model == "yolox-nano" for detection in found)


def test_antlers_close_up_are_called_a_person(detector: VisionDetector, shared_data: Path) -> None:
    """A known mistake of a network that never saw a camera trap: whoever changes the default model sees it here."""
    picture = shared_data / "samples" / "pictures" / "2021-05-28_SYFR0041_deer.JPG"
    assert types(detector.predict([detector.preprocess(picture)])[0]) == {"human"}


def test_both_runtimes_give_the_same_boxes(detector: VisionDetector, weights: Path, shared_data: Path) -> None:
    other = open_vision("yolox-nano", weights, VisionOptions(runtime="onnxruntime", threads=2, threshold=0.1))
    same = open_vision("yolox-nano", weights, VisionOptions(threads=2, threshold=0.1))
    pictures = [
        path for path in sorted((shared_data / "samples" / "pictures").iterdir()) if path.stat().st_size > 600_000
    ]
    batch = [detector.preprocess(path) for path in pictures]
    first, second = same.predict(batch), other.predict(batch)
    assert sum(map(len, first)) > 5
    for ours, theirs in zip(first, second, strict=True):
        assert [detection.label for detection in ours] == [detection.label for detection in theirs]
        for one, two in zip(ours, theirs, strict=True):
            assert one.confidence == pytest.approx(two.confidence, abs=1e-3)
            assert one.box is not None and two.box is not None
            assert [one.box.x, one.box.y, one.box.width, one.box.height] == pytest.approx(
                [two.box.x, two.box.y, two.box.width, two.box.height], abs=1e-3
            )


def test_a_file_its_bytes_and_its_picture_give_the_same(detector: VisionDetector, shared_data: Path) -> None:
    path = shared_data / "samples" / "pictures" / "owl.JPG"
    items: list[Path | bytes | Picture] = [path, path.read_bytes(), read_picture(path, 416)]
    results = detector.predict([detector.preprocess(item) for item in items])
    assert results[0] and results[0] == results[1] == results[2]


def test_an_unusable_picture_is_unreadable_and_a_damaged_one_says_so(
    detector: VisionDetector, shared_data: Path
) -> None:
    folder = shared_data / "samples" / "pictures"
    with pytest.raises(Unreadable):
        detector.preprocess(folder / "error_img.JPG")
    assert "cut off" in detector.preprocess(folder / "elephants_truncated.jpg").damage
    assert detector.preprocess(folder / "owl.JPG").damage == ""


def test_no_pictures_give_no_results(detector: VisionDetector) -> None:
    listening: Detector[Path | bytes | Picture, PreparedPicture] = detector
    assert listening.predict([]) == []


def test_events_name_the_weights_really_used(detector: VisionDetector) -> None:
    assert detector.model.version == "0.1.1rc0" and detector.model.sha256.startswith("e8af0749")


@pytest.mark.parametrize("runtime", ["openvino", "onnxruntime"])
def test_a_threshold_of_its_own_silences_a_type(weights: Path, shared_data: Path, runtime: RuntimeName) -> None:
    options = VisionOptions(runtime=runtime, thresholds={"vehicle": 0.99})
    strict = open_vision("yolox-nano", weights, options)
    assert strict.predict([strict.preprocess(shared_data / "samples" / "pictures" / "vehicle.jpg")]) == [[]]


def test_a_threshold_for_an_unknown_label_is_refused(weights: Path) -> None:
    with pytest.raises(ValueError, match="thresholds for \\['tiger'\\]: expected only"):
        open_vision("yolox-nano", weights, VisionOptions(thresholds={"tiger": 0.5}))


def test_openvino_keeps_what_it_compiled(weights: Path, tmp_path: Path) -> None:
    open_vision("yolox-nano", weights, VisionOptions(cache=str(tmp_path / "compiled")))
    assert list((tmp_path / "compiled").iterdir())


def test_missing_and_altered_weights_are_refused(weights: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="wildpost models pull yolox-nano"):
        open_vision("yolox-nano", tmp_path)
    altered = bytearray((weights / "yolox_nano.onnx").read_bytes())
    altered[-1] ^= 1
    (tmp_path / "yolox_nano.onnx").write_bytes(altered)
    with pytest.raises(WeightsMismatch, match="e8af0749"):
        open_vision("yolox-nano", tmp_path)


@pytest.mark.parametrize(
    ("name", "message"), [("yolox", "no model 'yolox': expected one of"), ("birdnet", "vision model")]
)
def test_a_name_that_is_no_vision_model_is_refused(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(WeightsError, match=message):
        open_vision(name, tmp_path)
