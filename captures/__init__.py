"""Reading of pictures and recordings: formats, capture times, clips and spectrograms."""
