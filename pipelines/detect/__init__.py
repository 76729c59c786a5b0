"""Runs detectors over files and folders in batches."""
