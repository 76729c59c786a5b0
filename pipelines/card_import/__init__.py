"""Imports memory cards: the files of a folder become the same messages as those of a station."""
