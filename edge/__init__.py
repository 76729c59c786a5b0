"""The station: captures pictures and sound, runs detectors on them and sends the results to the server."""
