"""Which clips with a voice in them leave the station."""

import pytest

from contract import Detection
from models.birdnet.package import find_package
from models.threat import VoiceCounts, VoiceDecision, VoiceOptions, decide_voice
from models.threat.voice import VoicePolicy


def heard(*labels: str) -> list[Detection]:
    return [
        Detection(ordinal=at, label=label, observation_type="human", confidence=0.5, model="birdnet")
        for at, label in enumerate(labels)
    ]


@pytest.mark.parametrize(
    ("policy", "labels", "decision"),
    [
        ("keep", ["voice"], VoiceDecision(True, "policy keeps")),
        ("drop", ["voice", "gunshot"], VoiceDecision(False, "policy drops")),
        ("keep-with-threat", ["voice"], VoiceDecision(False, "no threat")),
        ("keep-with-threat", ["voice", "dog"], VoiceDecision(False, "no threat")),
        ("keep-with-threat", ["gunshot", "voice"], VoiceDecision(True, "threat")),
        ("keep-with-threat", ["voice", "power tool"], VoiceDecision(True, "threat")),
        ("drop", ["gunshot"], VoiceDecision(True, "no voice")),
        ("drop", [], VoiceDecision(True, "no voice")),
    ],
)
def test_the_policy_decides(policy: VoicePolicy, labels: list[str], decision: VoiceDecision) -> None:
    assert decide_voice(heard(*labels), VoiceOptions(policy=policy)) == decision


def test_unless_told_a_voice_alone_stays_on_the_station() -> None:
    assert not decide_voice(heard("voice")).send


def test_what_was_dropped_is_counted() -> None:
    counts = VoiceCounts()
    for labels in (["voice"], ["voice", "gunshot"], ["dog"], ["voice"]):
        counts = counts.with_decision(decide_voice(heard(*labels)))
    counts = counts.with_decision(decide_voice(heard("voice"), VoiceOptions(policy="keep")))
    assert counts == VoiceCounts(sent=1, sent_with_threat=1, dropped=2)


def test_a_label_is_a_voice_or_a_threat() -> None:
    with pytest.raises(ValueError, match="voice"):
        VoiceOptions(threats=("voice",))


def test_birdnet_says_the_words_that_the_policy_waits_for() -> None:
    words = {meaning.label for meaning in find_package().meanings if meaning}
    assert words >= {"voice", "gunshot", "power tool"}
