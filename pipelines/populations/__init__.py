"""Occupancy and abundance from repeated visits, where an animal that is present is not always detected."""
