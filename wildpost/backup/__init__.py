"""Backup of a running server, and restore of a backup."""
