"""Sets up, assembles and diagnoses a station."""
