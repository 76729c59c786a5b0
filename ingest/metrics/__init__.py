"""Prometheus metrics of the ingest server."""
