"""Detection stores: the interface ``Store``, and its implementations for DuckDB and InfluxDB."""
