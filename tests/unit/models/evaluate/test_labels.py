"""Labels are read in each form that people have them in, and what is wrong with them is said."""

from pathlib import Path

import pytest

from contract import Box
from models.evaluate.labels import BadLabels, Truth, read_labels


def yolo(folder: Path, label: str = "0 0.5 0.5 0.2 0.4\n") -> Path:
    for name in ("images", "labels"):
        (folder / name / "test").mkdir(parents=True)
    (folder / "images/test/a.jpg").touch()
    (folder / "images/test/b.jpg").touch()
    (folder / "labels/test/a.txt").write_text(label)
    (folder / "data.yaml").write_text("path: .\ntest: images/test\nnames: [tiger, tree]\n")
    return folder


def test_a_yolo_set_has_boxes_of_the_classes_that_mean_something(tmp_path: Path) -> None:
    first, second = read_labels(yolo(tmp_path), "test", {"tiger": "animal"})

    (truth,) = first.truths
    assert truth.kind == "animal"
    assert (truth.box.x, truth.box.y) == pytest.approx((0.4, 0.3))
    assert (truth.box.width, truth.box.height) == pytest.approx((0.2, 0.4))
    assert second.truths == ()
    assert first.known == {"animal"}


@pytest.mark.parametrize("line", ["0 0.5 0.5", "tiger 0.5 0.5 0.2 0.2", "0 a b c d"])
def test_a_broken_line_is_named_with_its_file_and_number(tmp_path: Path, line: str) -> None:
    with pytest.raises(BadLabels, match=r"a\.txt, line 2.*expected class x y width height"):
        read_labels(yolo(tmp_path, f"0 0.5 0.5 0.1 0.1\n{line}\n"), None, {"tiger": "animal"})


def test_classes_without_a_meaning_are_asked_for(tmp_path: Path) -> None:
    with pytest.raises(BadLabels, match=r"'tiger'.*--class NAME=KIND"):
        read_labels(yolo(tmp_path))


def test_a_split_that_is_not_there_is_named_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(BadLabels, match="no split 'val': expected one of test"):
        read_labels(yolo(tmp_path), "val", {"tiger": "animal"})


def test_folders_say_what_whole_pictures_show(tmp_path: Path) -> None:
    for name in ("renard", "blank"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.JPG").touch()

    empty, fox = read_labels(tmp_path, meanings={"renard": "animal"})

    assert fox.shows == frozenset(["animal"]) == fox.known
    assert empty.shows == frozenset()
    assert empty.known == {"animal", "human", "vehicle"}


def test_a_folder_of_unknown_meaning_is_asked_about(tmp_path: Path) -> None:
    (tmp_path / "chevreuil").mkdir()

    with pytest.raises(BadLabels, match="--class chevreuil=animal"):
        read_labels(tmp_path)


def test_a_manifest_gives_its_split_with_paths_from_its_own_folder(tmp_path: Path) -> None:
    manifest = tmp_path / "labels.jsonl"
    manifest.write_text(
        '{"path": "a.jpg", "split": "test", "night": true,'
        ' "truths": [{"kind": "human", "box": [0.1, 0.2, 0.3, 0.4]}]}\n'
        "\n"
        '{"path": "b.jpg", "split": "train", "shows": ["animal"]}\n'
    )

    (first,) = read_labels(manifest, "test")
    (second,) = read_labels(manifest, "train")

    assert first.path == tmp_path / "a.jpg"
    assert first.truths == (Truth("human", Box(0.1, 0.2, 0.3, 0.4)),)
    assert first.night is True
    assert second.shows == frozenset(["animal"])


def test_a_manifest_line_that_is_wrong_is_named(tmp_path: Path) -> None:
    manifest = tmp_path / "labels.jsonl"
    manifest.write_text('{"path": "a.jpg"}\n{"path": "b.jpg", "truths": [{"kind": "ghost", "box": [0, 0, 1, 1]}]}\n')

    with pytest.raises(BadLabels, match=r"line 2: Invalid enum value 'ghost'"):
        read_labels(manifest)


@pytest.mark.parametrize("name", ["missing", "notes.txt"])
def test_what_is_no_data_set_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "notes.txt").touch()

    with pytest.raises(BadLabels, match=r"expected a \.jsonl manifest"):
        read_labels(tmp_path / name)


def test_no_picture_at_all_is_said(tmp_path: Path) -> None:
    with pytest.raises(BadLabels, match="no labelled picture"):
        read_labels(tmp_path)
