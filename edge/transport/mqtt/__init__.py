"""Publishing of the outbox to an MQTT broker."""
