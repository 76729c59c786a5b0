"""The server side: receives messages from stations, stores them, and flags captures for review."""
