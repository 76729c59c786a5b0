"""Finds animals, people and vehicles in pictures with an ONNX network."""

from models.vision.detector import PreparedPicture, VisionDetector, VisionOptions
from models.vision.looking import Looked, look

__all__ = ["Looked", "PreparedPicture", "VisionDetector", "VisionOptions", "look"]
