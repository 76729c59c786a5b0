"""The voice policy: decides whether a clip with a human voice may leave the station, and counts the decisions."""

from collections.abc import Sequence
from typing import Literal

import msgspec

from contract import Detection

VoicePolicy = Literal["keep", "drop", "keep-with-threat"]
VoiceReason = Literal["no voice", "policy keeps", "threat", "policy drops", "no threat"]


class VoiceOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of the voice policy: when clips with voices are sent, and which labels are voices or threats.

    Attributes:
        policy: Send clips with a voice always, never, or only if they also contain a threat.
        voices: The labels of human voices.
        threats: The labels of threats.
    """

    policy: VoicePolicy = "keep-with-threat"
    voices: tuple[str, ...] = ("voice",)
    threats: tuple[str, ...] = ("gunshot", "chainsaw", "power tool")  # the last is BirdNET's label for chainsaws

    def __post_init__(self) -> None:
        both = sorted(set(self.voices) & set(self.threats))
        if both:
            raise ValueError(f"labels {both} are in both voices and threats: expected each label in only one of them")


class VoiceDecision(msgspec.Struct, frozen=True):
    """The decision of the voice policy about one clip, and the reason for it.

    Attributes:
        send: Whether the clip may leave the station. The detections are always sent, and the original is always kept.
        reason: The reason for the decision.
    """

    send: bool
    reason: VoiceReason


class VoiceCounts(msgspec.Struct, frozen=True, kw_only=True):
    """Numbers of clips with a human voice, by the decision of the voice policy.

    Attributes:
        sent: Sent, because the policy keeps all clips.
        sent_with_threat: Sent, because they also contain a threat.
        dropped: Not sent.
    """

    sent: int = 0
    sent_with_threat: int = 0
    dropped: int = 0

    def with_decision(self, decision: VoiceDecision) -> "VoiceCounts":
        """Return new counts that include one more decision; a clip without a voice changes no count."""
        return VoiceCounts(
            sent=self.sent + (decision.reason == "policy keeps"),
            sent_with_threat=self.sent_with_threat + (decision.reason == "threat"),
            dropped=self.dropped + (not decision.send),
        )


def decide_voice(detections: Sequence[Detection], options: VoiceOptions | None = None) -> VoiceDecision:
    """Decide from the detections in a clip whether the clip may leave the station.

    The confidences of the detections are ignored.
    """
    chosen = options or VoiceOptions()
    labels = {detection.label for detection in detections}
    if labels.isdisjoint(chosen.voices):
        return VoiceDecision(True, "no voice")
    if chosen.policy == "keep":
        return VoiceDecision(True, "policy keeps")
    if chosen.policy == "drop":
        return VoiceDecision(False, "policy drops")
    return VoiceDecision(False, "no threat") if labels.isdisjoint(chosen.threats) else VoiceDecision(True, "threat")
