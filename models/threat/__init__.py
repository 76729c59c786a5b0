"""Hears threats, and says what follows: stations that heard the same shot, and clips with a person's voice in them."""

from models.threat.corroboration import CorroborationOptions, Incident, Shot, corroborate, shots_of
from models.threat.detector import MEANINGS, SHIPPED, THRESHOLDS, ThreatOptions, ThreatSounds
from models.threat.voice import VoiceCounts, VoiceDecision, VoiceOptions, decide_voice

__all__ = [
    "MEANINGS",
    "SHIPPED",
    "THRESHOLDS",
    "CorroborationOptions",
    "Incident",
    "Shot",
    "ThreatOptions",
    "ThreatSounds",
    "VoiceCounts",
    "VoiceDecision",
    "VoiceOptions",
    "corroborate",
    "decide_voice",
    "shots_of",
]
