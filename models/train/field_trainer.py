"""Ultralytics trainer that adds augmentations for camera-trap pictures to those of ultralytics."""

import random
from typing import Any

import numpy as np
from numpy.typing import NDArray
from ultralytics.data import YOLODataset
from ultralytics.models.yolo.detect import DetectionTrainer
from ultralytics.utils import colorstr
from ultralytics.utils.instance import Instances

from models.evaluate.labels import KINDS
from models.train.field_augmentations import (
    crop_through_box,
    empty_scene,
    infrared,
    low_light,
    motion_blur,
    paste_small,
)
from models.train.options import AugmentationShares


class FieldAugmentation:
    """Transform that applies the functions of ``field_augmentations`` to a training picture at random.

    It runs after ultralytics' own augmentations and before the conversion to a tensor.
    """

    def __init__(self, shares: AugmentationShares) -> None:
        self._shares = shares

    def __call__(self, labels: dict[str, Any]) -> dict[str, Any]:
        """Augment the picture ``img``, its classes ``cls`` and its boxes ``instances`` in place; return ``labels``."""
        # Ultralytics seeds Python's generator in each of its workers.
        chance = np.random.default_rng(random.getrandbits(64))
        pixels: NDArray[np.uint8] = np.ascontiguousarray(labels["img"])
        height, width = pixels.shape[:2]
        instances = labels["instances"]
        instances.convert_bbox("xyxy")
        instances.denormalize(width, height)
        corners = np.asarray(instances.bboxes, np.float32).reshape(-1, 4)
        classes = np.asarray(labels["cls"], np.float32).reshape(-1, 1)
        pixels, corners, classes = self._change_content(pixels, corners, classes, chance)
        labels["img"] = self._change_light(pixels, chance)
        labels["cls"] = classes
        segments = np.zeros((0, 1000, 2), np.float32)  # the value in an Instances without outlines
        labels["instances"] = Instances(corners, segments, bbox_format="xyxy", normalized=False)
        return labels

    def _change_content(
        self,
        pixels: NDArray[np.uint8],
        corners: NDArray[np.float32],
        classes: NDArray[np.float32],
        chance: np.random.Generator,
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.float32]]:
        """Apply ``empty_scene``, ``crop_through_box``, ``paste_small`` or nothing, chosen at random, to a picture."""
        choice, shares = chance.random(), self._shares
        if choice < shares.empty:
            scene = empty_scene(pixels, corners, chance)
            return (pixels, corners, classes) if scene is None else (scene, corners[:0], classes[:0])
        if choice < shares.empty + shares.cut_off:
            pixels, corners, kept = crop_through_box(pixels, corners, chance)
            return pixels, corners, classes[kept]
        if choice < shares.empty + shares.cut_off + shares.small:
            animals = np.flatnonzero(classes[:, 0] == KINDS.index("animal")).tolist()
            pasted = paste_small(pixels, corners, animals, chance)
            if pasted is not None:
                pixels, box, source = pasted
                return pixels, np.concatenate((corners, box)), np.concatenate((classes, classes[source : source + 1]))
        return pixels, corners, classes

    def _change_light(self, pixels: NDArray[np.uint8], chance: np.random.Generator) -> NDArray[np.uint8]:
        choice, shares = chance.random(), self._shares
        if choice < shares.infrared:
            pixels = infrared(pixels, chance)
        elif choice < shares.infrared + shares.low_light:
            pixels = low_light(pixels, chance)
        return motion_blur(pixels, chance) if chance.random() < shares.blur else pixels


class FieldDataset(YOLODataset):  # type: ignore[misc]
    """Ultralytics dataset that applies ``FieldAugmentation`` to its training pictures."""

    def __init__(self, *arguments: Any, shares: AugmentationShares, **more: Any) -> None:
        self._shares = shares  # set first, because the constructor of the parent builds the transforms
        super().__init__(*arguments, **more)

    def build_transforms(self, hyp: Any = None) -> Any:
        """Return ultralytics' transforms with ``FieldAugmentation`` inserted before the last one.

        The last transform creates tensors. Ultralytics calls this method again when mosaic ends.
        """
        transforms = super().build_transforms(hyp)
        transforms.insert(len(transforms.transforms) - 1, FieldAugmentation(self._shares))
        return transforms


class FieldTrainer(DetectionTrainer):  # type: ignore[misc]
    """Ultralytics trainer that trains on a ``FieldDataset``."""

    shares = AugmentationShares()  # set in a subclass, because ultralytics passes no further options to the trainer

    def build_dataset(self, img_path: str, mode: str = "train", batch: int | None = None) -> Any:
        """Return a ``FieldDataset`` for training, or ultralytics' own dataset for validation."""
        if mode != "train":
            return super().build_dataset(img_path, mode, batch)
        return FieldDataset(
            shares=self.shares,
            img_path=img_path,
            imgsz=self.args.imgsz,
            batch_size=batch,
            augment=True,
            hyp=self.args,
            rect=False,
            cache=self.args.cache or None,
            stride=max(int(self.model.stride.max()), 32),
            prefix=colorstr("train: "),
            task=self.args.task,
            data=self.data,
        )
