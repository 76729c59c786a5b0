"""Rules that turn events into flags and incidents: conditions, zones, seasons, protected species."""
