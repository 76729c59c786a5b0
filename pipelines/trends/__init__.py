"""Counts of detections by local day and hour."""
