"""Backup of a running server, and restore."""
