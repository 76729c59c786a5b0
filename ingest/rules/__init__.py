"""Rules that raise flags on events, with conditions such as zones, seasons and protected species."""
