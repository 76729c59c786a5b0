"""Configuration, certificates and passwords of a Mosquitto broker, with a separate user for every station."""
