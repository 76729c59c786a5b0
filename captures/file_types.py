"""File name extensions of the pictures and recordings that are read."""

PICTURES = {".jpg", ".jpeg", ".png", ".tif", ".tiff"}
RECORDINGS = {".wav", ".flac", ".mp3", ".ogg", ".aif", ".aiff"}
