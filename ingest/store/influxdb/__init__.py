"""Detection store in InfluxDB 1.x, 2.x or 3.x."""
