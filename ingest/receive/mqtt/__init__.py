"""Reception of messages from an MQTT broker, each acknowledged after it is durable."""
