"""Integrations with other systems, such as Home Assistant."""
