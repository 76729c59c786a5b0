"""Detects species of birds, frogs and insects in sounds with BirdNET V2.4 (licence CC BY-NC-SA: non-commercial)."""

from models.birdnet.detector import BirdNet, BirdNetOptions, PreparedSound

__all__ = ["BirdNet", "BirdNetOptions", "PreparedSound"]
