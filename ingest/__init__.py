"""Server that receives messages from stations, stores their records, and flags captures for review."""
