"""Computations on files and stored detections, independent of the pages."""
