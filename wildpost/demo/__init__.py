"""The demo: a broker, the server and two stations on one machine."""
