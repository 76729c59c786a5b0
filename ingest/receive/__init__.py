"""Receiving messages: buffering, decoding and writing them in batches; one sub-package per message source."""
