"""File name extensions of the supported picture and recording formats."""

PICTURES = {".jpg", ".jpeg", ".png", ".tif", ".tiff"}
RECORDINGS = {".wav", ".flac", ".mp3", ".ogg", ".aif", ".aiff"}
CAPTURES = PICTURES | RECORDINGS
