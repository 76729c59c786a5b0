"""Station outbox: a queue on disk that keeps each message until the broker has acknowledged and saved it."""
