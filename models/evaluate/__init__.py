"""Evaluation of detectors on labelled pictures and recordings."""
