"""How soon a flag or an alert wants attention; the last level of the topics on which alerts are published."""

from typing import Literal, get_args

Severity = Literal["notice", "warning", "urgent"]
SEVERITIES: tuple[Severity, ...] = get_args(Severity)  # lowest first


def severity_rank(severity: Severity) -> int:
    """Return the position in ``SEVERITIES``: a higher number wants attention sooner."""
    return SEVERITIES.index(severity)
