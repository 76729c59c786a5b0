"""Benchmarks, some against other programs; each prints a table and, last, one line of JSON."""
