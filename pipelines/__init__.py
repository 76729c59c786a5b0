"""Computations on files and stored detections, independent of the web pages that show them."""
