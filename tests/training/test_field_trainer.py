"""What the network is shown has the field in it, its boxes fit, and validation sees pictures as they are."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.evaluate.labels import BadLabels
from models.train.manifest import ManifestRow, read_manifest
from models.train.options import AugmentationShares
from models.train.yolo_folder import write_yolo_folder


def dataset(manifest: Path, folder: Path, shares: AugmentationShares) -> Any:
    from models.train.ultralytics_env import isolate_ultralytics

    isolate_ultralytics()
    from ultralytics.cfg import get_cfg
    from ultralytics.data.utils import check_det_dataset

    from models.train.field_trainer import FieldDataset

    written = write_yolo_folder(read_manifest(manifest), folder, 96)
    data = check_det_dataset(str(written.settings))
    settings = get_cfg(overrides={"imgsz": 96, "mosaic": 0.0})
    return FieldDataset(
        shares=shares,
        img_path=data["train"],
        imgsz=96,
        batch_size=4,
        augment=True,
        hyp=settings,
        data=data,
        task="detect",
    )


def only(**shares: float) -> AugmentationShares:
    none = dict.fromkeys(AugmentationShares.__struct_fields__, 0.0)
    return AugmentationShares(**{**none, **shares})


def test_infrared_is_shown_without_colour(manifest: Path, tmp_path: Path) -> None:
    shown = dataset(manifest, tmp_path, only(infrared=1))
    for at in range(6):
        picture = shown[at]["img"].numpy()
        assert picture.shape == (3, 96, 96)
        assert (picture[0] == picture[1]).all() and (picture[1] == picture[2]).all()


def test_without_shares_colours_stay(manifest: Path, tmp_path: Path) -> None:
    shown = dataset(manifest, tmp_path, only())
    pictures = [shown[at]["img"].numpy().astype(int) for at in range(6)]
    assert all(np.abs(picture[0] - picture[2]).max() > 20 for picture in pictures)


@pytest.mark.parametrize("share", ["cut_off", "small", "empty"])
def test_boxes_stay_inside_and_belong_to_a_class(manifest: Path, tmp_path: Path, share: str) -> None:
    shown = dataset(manifest, tmp_path, only(**{share: 1.0}))
    counted = 0
    for at in range(len(shown)):
        one = shown[at]
        boxes, classes = one["bboxes"].numpy(), one["cls"].numpy()
        assert len(boxes) == len(classes) == len(one["batch_idx"])
        counted += len(boxes)
        if len(boxes):
            assert (boxes[:, 2:] > 0).all()
            assert (boxes[:, :2] - boxes[:, 2:] / 2 >= -1e-5).all() and (
                boxes[:, :2] + boxes[:, 2:] / 2 <= 1 + 1e-5
            ).all()
            assert set(classes.ravel().tolist()) <= {0.0, 1.0, 2.0}
    assert counted > 0


def test_small_copies_add_animals_and_empty_scenes_take_things_away(manifest: Path, tmp_path: Path) -> None:
    def things(shares: AugmentationShares, folder: str) -> int:
        shown = dataset(manifest, tmp_path / folder, shares)
        return sum(len(shown[at]["bboxes"]) for _ in range(3) for at in range(len(shown)))

    plain = things(only(), "plain")
    assert things(only(small=1), "small") > plain + 10
    assert things(only(empty=1), "empty") < plain - 10


def test_whole_picture_labels_are_counted_and_empty_ones_are_learnt_from(manifest: Path, tmp_path: Path) -> None:
    import msgspec

    entries = read_manifest(manifest)
    train = [entry for entry in entries if entry.split == "train"]
    changed: list[ManifestRow] = [entry for entry in entries if entry not in train[:3]]
    changed.append(
        msgspec.structs.replace(train[0], truths=(), shows=frozenset({"animal"}), known=frozenset({"animal"}))
    )
    changed.append(msgspec.structs.replace(train[1], truths=()))
    changed.append(msgspec.structs.replace(train[2], known=frozenset({"animal"})))
    written = write_yolo_folder(changed, tmp_path, 96)
    assert written.counts["without_boxes"] == 1 and written.counts["partly_known"] == 1
    assert written.counts["train"] == len(train) - 1
    empty = tmp_path / "labels" / "train" / f"made_{train[1].sha256[:16]}.txt"
    assert empty.read_text() == ""


def test_a_manifest_without_val_pictures_is_refused(manifest: Path, tmp_path: Path) -> None:
    entries = [entry for entry in read_manifest(manifest) if entry.split != "val"]
    with pytest.raises(BadLabels, match="no picture with a box in split 'val'"):
        write_yolo_folder(entries, tmp_path, 96)
