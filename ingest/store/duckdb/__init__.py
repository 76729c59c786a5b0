"""Detections in a DuckDB file."""
