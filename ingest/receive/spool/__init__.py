"""Disk queue for the messages of stations that are over their budget."""
