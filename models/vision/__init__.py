"""Detects animals, people and vehicles in pictures with an ONNX network."""

from models.vision.batches import PictureResult, detect_in_pictures
from models.vision.detector import PreparedPicture, VisionDetector, VisionOptions

__all__ = ["PictureResult", "PreparedPicture", "VisionDetector", "VisionOptions", "detect_in_pictures"]
