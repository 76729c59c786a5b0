"""Reception of messages: buffering, decoding, and writing in batches."""
