"""Rules that raise flags and incidents on events: conditions, zones, seasons, protected species."""
