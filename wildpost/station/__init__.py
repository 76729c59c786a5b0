"""Setup, assembly and diagnostics of a station."""
