"""Integrations of the ingest server with other systems, such as Home Assistant."""
