"""Receives messages from an MQTT broker, and acknowledges each after it is durable."""
