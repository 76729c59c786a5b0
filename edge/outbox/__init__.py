"""Queue of messages on disk; a message is deleted after the broker has acknowledged it."""
