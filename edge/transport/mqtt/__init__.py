"""Publishing of the outbox's messages to an MQTT broker."""
