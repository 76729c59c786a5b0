"""Publishes the outbox to an MQTT broker."""
