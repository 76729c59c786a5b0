"""Runs detectors on files and folders in batches."""
