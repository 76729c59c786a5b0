"""Severity of flags and alerts; it is also the last level of the alert topics."""

from typing import Literal, get_args

Severity = Literal["notice", "warning", "urgent"]
SEVERITIES: tuple[Severity, ...] = get_args(Severity)  # lowest first


def severity_rank(severity: Severity) -> int:
    """Return the position in ``SEVERITIES``; a higher number is more urgent."""
    return SEVERITIES.index(severity)
