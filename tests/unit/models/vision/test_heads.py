"""Each family's output is decoded exactly: tiny networks give known numbers, and known boxes come out."""

import hashlib
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from captures.decoded import Picture
from models.registry import ClassMeaning, Head, RegistryEntry, VisionFacts
from models.vision import VisionDetector, VisionOptions
from models.vision.heads import WrongHead, calibrated, read_head
from models.vision.runtimes import RuntimeName

SIDE = 64
CELLS = 8 * 8 + 4 * 4 + 2 * 2
CLASSES = ("fox", "walker", "car", "truck", "bench")
PICTURE = Picture(np.full((32, 64, 3), 90, np.uint8), 640, 320)  # twice as wide as high: half of the input is padding


def network(path: Path, output: NDArray[np.float32], batch: int | str) -> Path:
    """Write an ONNX network that gives ``output`` for each picture, whatever it sees."""
    nothing = helper.make_node("ReduceSum", ["images", "axes"], ["sum"], keepdims=0)  # one number a picture
    zero = helper.make_node("Mul", ["sum", "none"], ["zero"])
    shaped = helper.make_node("Reshape", ["zero", "shape"], ["column"])
    added = helper.make_node("Add", ["column", "constant"], ["output"])
    constants = {
        "axes": np.array([1, 2, 3], np.int64),
        "none": np.array(0, np.float32),
        "shape": np.array([-1, *[1] * output.ndim], np.int64),
        "constant": output[None],
    }
    graph = helper.make_graph(
        [nothing, zero, shaped, added],
        "tiny",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [batch, 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, [batch, *output.shape])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return path


def detector(
    folder: Path,
    head: Head,
    output: NDArray[np.float32],
    runtime: RuntimeName = "openvino",
    batch: int | str = 1,
    classes: tuple[str, ...] = CLASSES,
    **options: float,
) -> VisionDetector:
    path = network(folder / "tiny.onnx", output, batch)
    meanings = {
        "fox": ClassMeaning(label="fox", observation_type="animal", scientific_name="Vulpes vulpes"),
        "walker": ClassMeaning(label="person", observation_type="human"),
        "car": ClassMeaning(label="car", observation_type="vehicle"),
        "truck": ClassMeaning(label="truck", observation_type="vehicle"),
    }
    facts = VisionFacts(
        head=head,
        width=SIDE,
        height=SIDE,
        classes=classes,
        meanings={name: meaning for name, meaning in meanings.items() if name in classes},
        threshold=0.3,
    )
    entry = RegistryEntry(
        kind="vision",
        name="tiny",
        version="1",
        licence="none",
        homepage="",
        filename="tiny.onnx",
        file="tiny.onnx",
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        size=path.stat().st_size,
        vision=facts,
    )
    return VisionDetector(path, entry, VisionOptions(runtime=runtime, threads=1, **options))  # type: ignore[arg-type]


def found(tiny: VisionDetector, times: int = 1) -> list[tuple[object, ...]]:
    results = tiny.predict([tiny.preprocess(PICTURE)] * times)
    assert len(results) == times and all(result == results[0] for result in results)
    boxes = [(one.label, one.confidence, one.box) for one in results[0]]
    return [(label, score, [box.x, box.y, box.width, box.height]) for label, score, box in boxes if box is not None]


@pytest.mark.parametrize("runtime", ["openvino", "onnxruntime"])
@pytest.mark.parametrize("batch", [1, "batch"])
def test_yolox_cells_become_boxes(tmp_path: Path, runtime: RuntimeName, batch: int | str) -> None:
    rows = np.zeros((CELLS, 5 + len(CLASSES)), np.float32)
    # Second level (stride 16), cell x 1, y 0: centre (1 + 0.5, 0 + 0.5) * 16 = 24, 8;
    # size e^0 * 16 = 16, e^(-ln 2) * 16 = 8.
    rows[64 + 1] = [0.5, 0.5, 0, -np.log(2), 0.8, 0.9, 0, 0, 0, 0]
    # First level (stride 8), last cell of the third row: centre (7 + 0.5, 2 + 0.5) * 8 = 60, 20; size 8, 8.
    rows[2 * 8 + 7] = [0.5, 0.5, 0, 0, 1, 0, 0.5, 0, 0, 0]
    # The picture fills the upper half of the input, from its top left corner.
    assert found(detector(tmp_path, "yolox", rows, runtime, batch), times=3) == [
        ("fox", pytest.approx(0.72), pytest.approx([16 / 64, 4 / 32, 16 / 64, 8 / 32], abs=1e-4)),
        ("person", 0.5, pytest.approx([56 / 64, 16 / 32, 8 / 64, 8 / 32], abs=1e-4)),
    ]


@pytest.mark.parametrize("runtime", ["openvino", "onnxruntime"])
@pytest.mark.parametrize("batch", [1, "batch"])
def test_yolov8_columns_become_boxes(tmp_path: Path, runtime: RuntimeName, batch: int | str) -> None:
    columns = np.zeros((4 + len(CLASSES), CELLS), np.float32)
    columns[:, 3] = [32, 32, 16, 8, 0, 0.6, 0, 0, 0]
    columns[:, 9] = [8, 24, 16, 16, 0.31, 0, 0, 0, 0]
    columns[:, 10] = [40, 24, 16, 16, 0.29, 0, 0, 0, 0]  # below the threshold
    # The picture lies in the middle: 16 pixels of padding above and below.
    assert found(detector(tmp_path, "yolov8", columns, runtime, batch), times=2) == [
        ("person", pytest.approx(0.6), pytest.approx([24 / 64, 12 / 32, 16 / 64, 8 / 32], abs=1e-4)),
        ("fox", pytest.approx(0.31), pytest.approx([0, 0, 16 / 64, 16 / 32], abs=1e-4)),
    ]


@pytest.mark.parametrize("runtime", ["openvino", "onnxruntime"])
def test_end_to_end_rows_are_taken_as_they_are(tmp_path: Path, runtime: RuntimeName) -> None:
    rows = np.zeros((300, 6), np.float32)
    rows[0] = [0, 16, 32, 48, 0.9, 2]
    rows[1] = [0, 16, 32, 48, 0.8, 3]  # it chose both itself: nothing is suppressed
    rows[2] = [0, 16, 32, 48, 0.8, 4]  # a bench has no meaning to a ranger
    rows[3] = [0, 16, 32, 48, 0.8, 17]  # a class that does not exist
    assert found(detector(tmp_path, "end2end", rows, runtime)) == [
        ("car", pytest.approx(0.9), [0, 0, 0.5, 1]),
        ("truck", pytest.approx(0.8), [0, 0, 0.5, 1]),
    ]


def test_one_vehicle_is_not_a_car_and_a_truck(tmp_path: Path) -> None:
    columns = np.zeros((4 + len(CLASSES), CELLS), np.float32)
    columns[:, 0] = [32, 32, 16, 16, 0, 0, 0.6, 0, 0]
    columns[:, 1] = [33, 32, 16, 16, 0, 0, 0, 0.7, 0]
    columns[:, 2] = [32, 32, 16, 16, 0, 0.5, 0, 0, 0]  # the driver, of another type, stays
    assert [label for label, _, _ in found(detector(tmp_path, "yolov8", columns))] == ["truck", "person"]


def test_a_box_in_the_padding_is_dropped_and_one_across_the_edge_is_cut(tmp_path: Path) -> None:
    columns = np.zeros((4 + len(CLASSES), CELLS), np.float32)
    columns[:, 0] = [32, 6, 8, 8, 0.9, 0, 0, 0, 0]
    columns[:, 1] = [64, 16, 32, 16, 0.9, 0, 0, 0, 0]
    assert found(detector(tmp_path, "yolov8", columns)) == [("fox", pytest.approx(0.9), [0.75, 0, 0.25, 0.25])]


def test_numbers_that_are_none_and_sizes_without_end_do_no_harm(tmp_path: Path) -> None:
    rows = np.zeros((CELLS, 5 + len(CLASSES)), np.float32)
    rows[0] = [np.nan, 0, 0, 0, 1, 1, 0, 0, 0, 0]
    rows[1] = [0, 0, 500, 500, 1, 1, 0, 0, 0, 0]
    assert [box for _, _, box in found(detector(tmp_path, "yolox", rows))] == [[0, 0, 1, 1]]


@pytest.mark.parametrize(("head", "shape"), [("yolox", (9, CELLS)), ("yolov8", (84, CELLS)), ("end2end", (300, 7))])
def test_a_network_of_another_form_is_refused(tmp_path: Path, head: Head, shape: tuple[int, int]) -> None:
    with pytest.raises(WrongHead, match=f"head '{head}' with 5 classes at 64 x 64 expects"):
        detector(tmp_path, head, np.zeros(shape, np.float32))


def test_a_temperature_above_one_makes_confidences_modest_and_keeps_their_order() -> None:
    scores = np.array([0.0, 0.1, 0.5, 0.9, 1.0], np.float32)

    modest = calibrated(scores, 2.0)

    assert modest[1:4] == pytest.approx([0.25, 0.5, 0.75])  # the odds' square root: 1 to 9 becomes 1 to 3
    assert np.all(np.diff(modest) > 0)
    assert np.isfinite(modest).all()
    assert calibrated(scores, 1.0) == pytest.approx(scores, abs=1e-6)


def test_each_class_has_its_own_temperature_and_the_others_the_general_one() -> None:
    columns = np.zeros((4 + len(CLASSES), CELLS), np.float32)
    for cell, kind in enumerate((0, 1, 2)):
        columns[:4, cell] = 20 * cell + 5, 30, 10, 10
        columns[4 + kind, cell] = 0.9
    facts = VisionFacts(
        head="yolov8",
        width=SIDE,
        height=SIDE,
        classes=CLASSES,
        meanings={},
        threshold=0.5,
        temperature=2.0,
        temperatures={"walker": 1.0, "car": 0.5},
    )

    read = read_head(columns, facts)

    scores = {CLASSES[kind]: score for kind, score in zip(read.classes[:3], read.scores[:3], strict=True)}
    assert scores == pytest.approx({"fox": 0.75, "walker": 0.9, "car": 81 / 82})


def test_a_temperature_of_a_class_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match=r"temperatures of unknown classes \['wolf'\]: expected only classes of"):
        VisionFacts(
            head="yolox", width=64, height=64, classes=CLASSES, meanings={}, threshold=0.5, temperatures={"wolf": 2.0}
        )
