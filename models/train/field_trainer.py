"""Shows each training picture as the field would: the last step of ultralytics' own augmentation."""

import random
from typing import Any

import numpy as np
from numpy.typing import NDArray
from ultralytics.data import YOLODataset
from ultralytics.models.yolo.detect import DetectionTrainer
from ultralytics.utils import colorstr
from ultralytics.utils.instance import Instances

from models.evaluate.labels import KINDS
from models.train.field_augmentations import cut_off, empty_scene, infrared, low_light, motion_blur, paste_small
from models.train.options import FieldShares


class FieldChanges:
    """Changes a picture after mosaic, turning and colours, before it becomes a tensor."""

    def __init__(self, shares: FieldShares) -> None:
        self._shares = shares

    def __call__(self, labels: dict[str, Any]) -> dict[str, Any]:
        """Change ``img``, ``cls`` and ``instances`` together."""
        # Python's own generator is seeded by ultralytics for each of its workers.
        chance = np.random.default_rng(random.getrandbits(64))
        pixels: NDArray[np.uint8] = np.ascontiguousarray(labels["img"])
        height, width = pixels.shape[:2]
        instances = labels["instances"]
        instances.convert_bbox("xyxy")
        instances.denormalize(width, height)
        corners = np.asarray(instances.bboxes, np.float32).reshape(-1, 4)
        classes = np.asarray(labels["cls"], np.float32).reshape(-1, 1)
        pixels, corners, classes = self._places(pixels, corners, classes, chance)
        labels["img"] = self._light(pixels, chance)
        labels["cls"] = classes
        segments = np.zeros((0, 1000, 2), np.float32)  # what an Instances without outlines holds
        labels["instances"] = Instances(corners, segments, bbox_format="xyxy", normalized=False)
        return labels

    def _places(
        self,
        pixels: NDArray[np.uint8],
        corners: NDArray[np.float32],
        classes: NDArray[np.float32],
        chance: np.random.Generator,
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.float32]]:
        """Empty, cut or fill the picture: at most one of the three."""
        choice, shares = chance.random(), self._shares
        if choice < shares.empty:
            scene = empty_scene(pixels, corners, chance)
            return (pixels, corners, classes) if scene is None else (scene, corners[:0], classes[:0])
        if choice < shares.empty + shares.cut_off:
            pixels, corners, kept = cut_off(pixels, corners, chance)
            return pixels, corners, classes[kept]
        if choice < shares.empty + shares.cut_off + shares.small:
            animals = np.flatnonzero(classes[:, 0] == KINDS.index("animal")).tolist()
            pasted = paste_small(pixels, corners, animals, chance)
            if pasted is not None:
                pixels, box, source = pasted
                return pixels, np.concatenate((corners, box)), np.concatenate((classes, classes[source : source + 1]))
        return pixels, corners, classes

    def _light(self, pixels: NDArray[np.uint8], chance: np.random.Generator) -> NDArray[np.uint8]:
        choice, shares = chance.random(), self._shares
        if choice < shares.infrared:
            pixels = infrared(pixels, chance)
        elif choice < shares.infrared + shares.low_light:
            pixels = low_light(pixels, chance)
        return motion_blur(pixels, chance) if chance.random() < shares.blur else pixels


class FieldDataset(YOLODataset):  # type: ignore[misc]
    """Training pictures with the changes of the field."""

    def __init__(self, *arguments: Any, shares: FieldShares, **more: Any) -> None:
        self._shares = shares  # before the parent builds the transforms
        super().__init__(*arguments, **more)

    def build_transforms(self, hyp: Any = None) -> Any:
        """Put our changes before the last step, which makes tensors; called again when mosaic ends."""
        transforms = super().build_transforms(hyp)
        transforms.insert(len(transforms.transforms) - 1, FieldChanges(self._shares))
        return transforms


class FieldTrainer(DetectionTrainer):  # type: ignore[misc]
    """Ultralytics' trainer on such pictures."""

    shares = FieldShares()  # set by whoever makes a trainer: ultralytics passes none of our options on

    def build_dataset(self, img_path: str, mode: str = "train", batch: int | None = None) -> Any:
        """Build as ultralytics does; validation sees pictures as they are."""
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
