"""Backups of a running server, and restoring them."""
