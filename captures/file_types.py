"""File name extensions of the supported picture, film and recording formats."""

PICTURES = {
    *(".jpg", ".jpeg", ".png", ".tif", ".tiff", ".heic", ".heif", ".hif", ".avif", ".webp", ".gif", ".bmp"),
    *(".dng", ".nef", ".arw", ".cr2"),  # raw pictures with a preview
}
FILMS = {".avi", ".mp4", ".m4v", ".mov", ".3gp", ".mkv", ".webm", ".ts", ".mts", ".m2ts"}
RECORDINGS = {
    *(".wav", ".wave", ".bwf", ".rf64", ".w64", ".aif", ".aiff", ".aifc", ".au", ".snd", ".caf"),
    *(".flac", ".mp3", ".ogg", ".oga", ".opus", ".m4a", ".aac"),
}
CAPTURES = PICTURES | FILMS | RECORDINGS
