"""Remote care of a station: what the server may tell it, checked, done and answered."""
