"""Reading of pictures and recordings: formats, capture times, clips and spectrograms.

The package imports no detector, station or server.
"""
