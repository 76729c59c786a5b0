"""Transports that send the messages of the outbox to the server."""
