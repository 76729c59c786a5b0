"""Finds animals, people and vehicles in pictures with an ONNX network."""

from models.vision.batches import Looked, look
from models.vision.detector import PreparedPicture, VisionDetector, VisionOptions

__all__ = ["Looked", "PreparedPicture", "VisionDetector", "VisionOptions", "look"]
