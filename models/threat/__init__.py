"""Detects threat sounds such as gunshots and chainsaws, and decides which clips with voices may leave the station."""

from models.threat.detector import MEANINGS, SHIPPED, THRESHOLDS, ThreatOptions, ThreatSounds
from models.threat.voice import VoiceCounts, VoiceDecision, VoiceOptions, decide_voice

__all__ = [
    "MEANINGS",
    "SHIPPED",
    "THRESHOLDS",
    "ThreatOptions",
    "ThreatSounds",
    "VoiceCounts",
    "VoiceDecision",
    "VoiceOptions",
    "decide_voice",
]
