"""Events and media on disk until the broker has acknowledged them."""
