"""Simulation of a fleet of stations: their messages, and the delivery to a broker, to bundles or into a server."""
