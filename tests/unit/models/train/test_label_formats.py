"""Labels are read in every form people draw them in; what is wrong is said, picture by picture."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from models.evaluate.labels import BadLabels
from models.train.dataset_settings import LabelSource
from models.train.label_formats import FORMS, PictureLabels, read_source


def source(form: str, **more: object) -> LabelSource:
    return LabelSource(folder=".", form=form, classes={"*": "animal"}, licence="ours", **more)  # type: ignore[arg-type]


def picture(path: Path, width: int = 80, height: int = 60) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((height, width, 3), 90, np.uint8))
    return path


def read(root: Path, how: LabelSource) -> dict[str, PictureLabels]:
    return {one.path.name: one for one in read_source(root, how)}


def edges(one: PictureLabels) -> list[tuple[str, float, float, float, float]]:
    return [(box.name, box.box.x, box.box.y, box.box.width, box.box.height) for box in one.boxes]


def test_yolo_boxes_and_outlines_become_boxes_from_the_top_left(tmp_path: Path) -> None:
    picture(tmp_path / "images" / "a.jpg")
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "a.txt").write_text("0 0.5 0.5 0.2 0.4\n7 0.1 0.1 0.3 0.1 0.3 0.5\n")
    assert edges(read(tmp_path, source("yolo"))["a.jpg"]) == [("0", 0.4, 0.3, 0.2, 0.4), ("7", 0.1, 0.1, 0.2, 0.4)]


def test_an_empty_yolo_file_says_empty_and_a_missing_one_says_nothing(tmp_path: Path) -> None:
    for name in ("empty.jpg", "forgotten.jpg"):
        picture(tmp_path / "images" / name)
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "empty.txt").write_text("")
    found = read(tmp_path, source("yolo"))
    assert found["empty.jpg"].problem is None and not found["empty.jpg"].boxes
    assert "no label file forgotten.txt" in str(found["forgotten.jpg"].problem)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("0 0.5 0.5 0.2", "expected class x y width height"),
        ("0 0.5 0.5 0.2 high", "'high': expected a number"),
        ("0 0.5 0.5 0 0.2", "expected an area"),
        ("0 0.5 0.5 nan 0.2", "expected an area"),
        ("0 1.4 0.5 0.2 0.2", "extends outside"),
        ("0 320 240 64 48", "extends outside"),
    ],
)
def test_a_broken_yolo_line_sets_its_picture_aside_and_no_other(tmp_path: Path, line: str, words: str) -> None:
    (tmp_path / "labels").mkdir()
    for name, text in (("good", "0 0.5 0.5 0.2 0.2\n"), ("broken", f"0 0.5 0.5 0.2 0.2\n{line}\n")):
        picture(tmp_path / "images" / f"{name}.jpg")
        (tmp_path / "labels" / f"{name}.txt").write_text(text)
    found = read(tmp_path, source("yolo"))
    assert found["good.jpg"].problem is None
    assert words in str(found["broken.jpg"].problem) and "broken.txt, line 2" in str(found["broken.jpg"].problem)


def test_a_box_a_little_outside_is_cut_at_the_edge(tmp_path: Path) -> None:
    picture(tmp_path / "images" / "a.jpg")
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "a.txt").write_text("0 0.09 0.5 0.2 0.2\n")
    assert edges(read(tmp_path, source("yolo"))["a.jpg"]) == [("0", 0.0, 0.4, 0.19, 0.2)]


VOC = """<annotation><size><width>400</width><height>200</height></size>
<object><name>boar</name><bndbox><xmin>100</xmin><ymin>50</ymin><xmax>200</xmax><ymax>100</ymax></bndbox></object>
</annotation>"""


def test_voc_boxes_are_fractions_of_the_size_that_the_xml_states(tmp_path: Path) -> None:
    picture(tmp_path / "images" / "a.jpg", 40, 20)  # shrunk to a tenth
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations" / "a.xml").write_text(VOC)
    assert edges(read(tmp_path, source("voc"))["a.jpg"]) == [("boar", 0.25, 0.25, 0.25, 0.25)]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("400", "0", "size of 0 x 200"),
        ("<xmin>100", "<xmin>", "object 1, xmin"),
        ("</annotation>", "", "no element found"),
        ("<annotation>", '<!DOCTYPE a [<!ENTITY b "c">]><annotation>', "entities"),
    ],
)
def test_a_broken_voc_file_is_a_problem_of_its_picture(tmp_path: Path, old: str, new: str, words: str) -> None:
    picture(tmp_path / "images" / "a.jpg")
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations" / "a.xml").write_text(VOC.replace(old, new))
    assert words in str(read(tmp_path, source("voc"))["a.jpg"].problem)


def test_coco_boxes_are_pixels_and_a_picture_without_annotation_is_empty(tmp_path: Path) -> None:
    for name in ("a.jpg", "b.jpg", "unknown.jpg"):
        picture(tmp_path / name)
    document = {
        "images": [{"id": i, "file_name": f"{name}.jpg", "width": 200, "height": 100} for i, name in enumerate("abc")],
        "annotations": [
            {"id": 1, "image_id": 0, "category_id": 5, "bbox": [20, 10, 40, 50]},
            {"id": 2, "image_id": 2, "category_id": 5},
            {"id": 3, "image_id": 9, "category_id": 5, "bbox": [0, 0, 1, 1]},
        ],
        "categories": [{"id": 5, "name": "lynx"}],
    }
    (tmp_path / "annotations.json").write_text(json.dumps(document))
    found = read(tmp_path, source("coco"))
    assert edges(found["a.jpg"]) == [("lynx", 0.1, 0.1, 0.2, 0.5)]
    assert found["b.jpg"] == PictureLabels(tmp_path / "b.jpg")
    assert found["c.jpg"].shows == ("lynx",)  # annotated without a box, as COCO Camera Traps does
    assert "do not mention it" in str(found["unknown.jpg"].problem)
    assert "not among the file's images" in str(found["image 9"].problem)


def test_megadetector_boxes_need_confidence_and_doubtful_pictures_are_set_aside(tmp_path: Path) -> None:
    def result(name: str, *confidences: float) -> dict[str, object]:
        return {
            "file": name,
            "detections": [{"category": "1", "conf": c, "bbox": [0.1, 0.2, 0.3, 0.4]} for c in confidences],
        }

    document = {
        "detection_categories": {"1": "animal"},
        "images": [
            result("sure.jpg", 0.95, 0.01),
            result("doubtful.jpg", 0.95, 0.4),
            result("empty.jpg"),
            {"file": "broken.jpg", "failure": "cannot open", "detections": None},
        ],
    }
    (tmp_path / "megadetector.json").write_text(json.dumps(document))
    found = read(tmp_path, source("megadetector", least_confidence=0.8))
    assert edges(found["sure.jpg"]) == [("animal", 0.1, 0.2, 0.3, 0.4)]
    assert "0.4: doubtful" in str(found["doubtful.jpg"].problem)
    assert found["empty.jpg"].problem is None and not found["empty.jpg"].boxes
    assert "cannot open" in str(found["broken.jpg"].problem)


@pytest.mark.parametrize(
    ("columns", "line", "expected"),
    [
        ("filepath,label,bboxX,bboxY,bboxWidth,bboxHeight", "a.jpg,fox,0.1,0.2,0.3,0.4", [("fox", 0.1, 0.2, 0.3, 0.4)]),
        (
            "filename,width,height,class,xmin,ymin,xmax,ymax",
            "a.jpg,200,100,fox,20,20,80,60",
            [("fox", 0.1, 0.2, 0.3, 0.4)],
        ),
    ],
)
def test_a_table_has_boxes_in_fractions_or_pixels(tmp_path: Path, columns: str, line: str, expected: object) -> None:
    picture(tmp_path / "a.jpg")
    (tmp_path / "labels.csv").write_text(f"{columns}\n{line}\n")
    assert edges(read(tmp_path, source("csv"))["a.jpg"]) == expected


def test_a_table_without_boxes_labels_whole_pictures(tmp_path: Path) -> None:
    picture(tmp_path / "a.jpg")
    (tmp_path / "labels.csv").write_text("filepath,label\na.jpg,fox\na.jpg,boar\n")
    assert read(tmp_path, source("csv"))["a.jpg"].shows == ("boar", "fox")


def test_a_table_without_the_columns_needed_is_refused(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("photo,what\na.jpg,fox\n")
    with pytest.raises(BadLabels, match="columns photo, what: expected one called filepath"):
        list(read_source(tmp_path, source("csv")))


def test_a_folder_name_labels_its_pictures(tmp_path: Path) -> None:
    picture(tmp_path / "fox" / "camera1" / "a.jpg")
    picture(tmp_path / "stray.jpg")
    found = read(tmp_path, source("folders"))
    assert found["a.jpg"].shows == ("fox",)
    assert "not in a class folder" in str(found["stray.jpg"].problem)


@pytest.mark.parametrize("form", ["coco", "megadetector", "csv"])
def test_a_missing_or_broken_file_of_all_labels_is_an_error(tmp_path: Path, form: str) -> None:
    with pytest.raises(BadLabels, match="No such file"):
        list(read_source(tmp_path, source(form)))
    (tmp_path / "labels").write_bytes(b"\xff\xfe{")
    with pytest.raises(BadLabels, match="labels: "):
        list(read_source(tmp_path, source(form, labels="labels")))


REAL = [
    ("vision/tiger", "yolo", None, 300, 357),
    ("vision/raccoon_voc", "voc", None, 200, 217),
    ("vision/african_wildlife", "yolo", None, 250, 441),
    ("reference/ena24_small", "coco", "coco_annotations.json", 21, 21),
    ("reference/ena24_small", "megadetector", "md_annotations.json", 21, 21),
    ("vision/camtrap_jura", "folders", None, 240, 0),
]


@pytest.mark.parametrize(("folder", "form", "labels", "pictures", "boxes"), REAL)
def test_real_labels_are_read_whole(
    shared_data: Path, folder: str, form: str, labels: str | None, pictures: int, boxes: int
) -> None:
    found = list(read_source(shared_data / folder, source(form, labels=labels, least_confidence=0.1)))
    usable = [one for one in found if one.problem is None]
    assert (len(usable), sum(len(one.boxes) for one in usable)) == (pictures, boxes)
    assert all(one.path.is_file() for one in usable)


def test_every_form_of_the_settings_has_a_reader() -> None:
    from typing import get_args

    from models.train.dataset_settings import Form

    assert set(FORMS) == set(get_args(Form))
