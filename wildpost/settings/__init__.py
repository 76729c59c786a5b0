"""Settings files and the data folder."""
