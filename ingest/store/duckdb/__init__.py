"""Detection store in a DuckDB file."""
