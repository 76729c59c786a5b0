"""Ways for messages to leave the station."""
