"""Which files in a folder a station takes up, by the endings of their names."""

PICTURES = {".jpg", ".jpeg", ".png", ".tif", ".tiff"}
RECORDINGS = {".wav", ".flac", ".mp3", ".ogg", ".aif", ".aiff"}
