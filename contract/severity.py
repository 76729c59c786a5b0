"""Severity levels of flags and alerts; an alert's severity is also the last level of its topic."""

from typing import Literal, get_args

Severity = Literal["notice", "warning", "urgent"]
SEVERITIES: tuple[Severity, ...] = get_args(Severity)  # lowest first


def severity_rank(severity: Severity) -> int:
    """Return the position of a severity in ``SEVERITIES``; a higher number is more urgent."""
    return SEVERITIES.index(severity)
