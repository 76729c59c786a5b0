"""Assembles and runs the server's parts."""
