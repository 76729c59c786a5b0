"""File name extensions of the supported picture and recording formats."""

PICTURES = {".jpg", ".jpeg", ".png", ".tif", ".tiff"}
RECORDINGS = {
    *(".wav", ".wave", ".bwf", ".rf64", ".w64", ".aif", ".aiff", ".aifc", ".au", ".snd", ".caf"),
    *(".flac", ".mp3", ".ogg", ".oga", ".opus", ".m4a", ".aac"),
}
CAPTURES = PICTURES | RECORDINGS
