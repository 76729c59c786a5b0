"""What sensors made: pictures and recordings, their formats and capture times; no detector, station or server."""
