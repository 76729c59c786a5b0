"""Receives messages from an MQTT broker; acknowledges each one after it is durable."""
