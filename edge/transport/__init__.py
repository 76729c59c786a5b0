"""Transports that carry the outbox's messages off the station."""
