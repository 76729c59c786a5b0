"""Detectors of animals, people, vehicles, bird species and threat sounds, with their weights."""
