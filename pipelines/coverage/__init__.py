"""Blind spots: hours in which nobody watches, parts of zones out of reach, and the best places for further stations."""
