"""File name extensions of the supported picture, film and recording formats."""

PICTURES = {
    *(".jpg", ".jpeg", ".png", ".tif", ".tiff", ".heic", ".heif", ".hif", ".avif", ".webp", ".gif", ".bmp"),
    *(".dng", ".nef", ".arw", ".cr2"),  # raw pictures with a preview
}
FILMS = {".avi", ".mp4", ".m4v", ".mov", ".3gp", ".mkv", ".webm", ".ts", ".mts", ".m2ts"}
RECORDINGS = {".wav", ".flac", ".mp3", ".ogg", ".aif", ".aiff"}
CAPTURES = PICTURES | FILMS | RECORDINGS
