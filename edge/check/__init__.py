"""Looks over a station where it stands, and says of everything that does not work what to do next."""

from edge.check.finding import Figure, Finding, State

__all__ = ["Figure", "Finding", "State"]
