"""Trains wildpost-nano 2: an EfficientNet-Lite0 detector of animals, people and vehicles, on a GPU or a CPU."""
