"""Checks of a station in the field; the result of a failed check names the next step."""

from edge.check.finding import Figure, Finding, State

__all__ = ["Figure", "Finding", "State"]
