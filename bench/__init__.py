"""Benchmarks, some of which compare Wildpost with other programs; each prints a table and one line of JSON."""
