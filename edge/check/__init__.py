"""Checks of a station in the field; each finding that is not good names the next step."""

from edge.check.finding import Figure, Finding, State

__all__ = ["Figure", "Finding", "State"]
