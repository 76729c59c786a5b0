"""Which shots of several stations are one incident, and how sure it is."""

import random
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from casebook.incidents.corroboration import CorroborationOptions, Shot, corroborate, distance_m, shots_of
from contract import Clock, Detection, Location, Span
from contract.examples import EVENT, SOUND_EVENT

NOON = datetime(2026, 4, 12, 12, 0, tzinfo=UTC)
RIDGE = Location(latitude=31.0, longitude=117.0)
# A minute of arc of latitude is 1,853 m: sound of 340.39 m/s (15 degrees, no wind) needs 5.44 s.
LAKE = Location(latitude=31.0 + 1 / 60, longitude=117.0)
STILL = CorroborationOptions(wind_m_s=0, margin_s=0)


def shot(
    station: str,
    after_s: float = 0.0,
    location: Location | None = RIDGE,
    clock_error_s: float | None = 0.0,
    confidence: float = 0.5,
    within_s: float = 0.0,
    label: str = "gunshot",
) -> Shot:
    at = NOON + timedelta(seconds=after_s)
    return Shot(f"{station}-{label}-{after_s}", 0, station, label, at, within_s, clock_error_s, location, confidence)


def test_distance_agrees_with_the_length_of_a_minute_of_arc() -> None:
    assert distance_m(RIDGE, LAKE) == pytest.approx(6_371_008.8 * 3.141592653589793 / 10_800)
    assert distance_m(RIDGE, RIDGE) == 0
    east = distance_m(Location(latitude=0, longitude=179.99), Location(latitude=0, longitude=-179.99))
    assert east == pytest.approx(2_224, abs=1)  # across the date line, not around the world


@pytest.mark.parametrize(("after_s", "incidents"), [(5.4, 1), (-5.4, 1), (5.5, 2), (-5.5, 2)])
def test_sound_must_have_had_the_time_between_the_stations(after_s: float, incidents: int) -> None:
    assert len(corroborate([shot("ridge"), shot("lake", after_s, LAKE)], STILL)) == incidents


def test_cold_air_and_wind_allow_more_time() -> None:
    shots = [shot("ridge"), shot("lake", 5.7, LAKE)]
    assert len(corroborate(shots, STILL)) == 2
    assert len(corroborate(shots, CorroborationOptions(wind_m_s=0, margin_s=0, temperature_c=-20))) == 1
    assert len(corroborate(shots, CorroborationOptions(wind_m_s=20, margin_s=0))) == 1


def test_both_clocks_and_both_spans_allow_more_time() -> None:
    assert len(corroborate([shot("ridge", clock_error_s=1), shot("lake", 7.4, LAKE, clock_error_s=1)], STILL)) == 1
    assert len(corroborate([shot("ridge", clock_error_s=1), shot("lake", 7.5, LAKE, clock_error_s=1)], STILL)) == 2
    assert len(corroborate([shot("ridge", within_s=1.5), shot("lake", 8.4, LAKE, within_s=1.5)], STILL)) == 1
    assert len(corroborate([shot("ridge", within_s=1.5), shot("lake", 8.5, LAKE, within_s=1.5)], STILL)) == 2


def test_a_clock_or_place_nobody_knows_joins_nothing() -> None:
    assert len(corroborate([shot("ridge"), shot("lake", location=LAKE, clock_error_s=None)], STILL)) == 2
    assert len(corroborate([shot("ridge"), shot("lake", location=None)], STILL)) == 2
    assuming = msgspec.structs.replace(STILL, assumed_clock_error_s=2.0)
    assert len(corroborate([shot("ridge"), shot("lake", 7.4, LAKE, clock_error_s=None)], assuming)) == 1
    assert len(corroborate([shot("ridge"), shot("lake", 7.5, LAKE, clock_error_s=None)], assuming)) == 2


def test_a_lone_shot_is_an_incident_with_its_own_confidence() -> None:
    (incident,) = corroborate([shot("ridge", confidence=0.7)])
    assert incident.confidence == pytest.approx(0.7)
    assert corroborate([]) == []


def test_witnesses_make_it_surer() -> None:
    (incident,) = corroborate([shot(name, confidence=0.5) for name in ("ridge", "lake", "marsh")])
    assert incident.confidence == pytest.approx(0.875)


def test_a_volley_stays_as_many_shots_as_were_fired() -> None:
    heard = [shot(name, after_s, place) for name, place in (("ridge", RIDGE), ("lake", LAKE)) for after_s in (0, 1, 2)]
    incidents = corroborate(heard, STILL)
    assert [[member.station for member in incident.shots] for incident in incidents] == [["lake", "ridge"]] * 3
    assert [incident.shots[0].at for incident in incidents] == [NOON + timedelta(seconds=s) for s in (0, 1, 2)]


def test_one_station_alone_never_corroborates_itself() -> None:
    assert len(corroborate([shot("ridge"), shot("ridge", 0.5)])) == 2


def test_a_dog_does_not_corroborate_a_shot_nor_a_station_out_of_reach() -> None:
    assert len(corroborate([shot("ridge"), shot("lake", location=LAKE, label="dog")])) == 2
    far = Location(latitude=32.0, longitude=117.0)
    assert len(corroborate([shot("ridge"), shot("far", location=far)])) == 2


def test_a_shot_delivered_twice_counts_once() -> None:
    (incident,) = corroborate([shot("ridge"), shot("ridge")])
    assert len(incident.shots) == 1
    assert incident.confidence == pytest.approx(0.5)


def test_a_time_without_offset_is_refused() -> None:
    bare = Shot("a", 0, "ridge", "gunshot", datetime(2026, 4, 12), 0.0, 0.0, RIDGE, 0.5)  # noqa: DTZ001
    with pytest.raises(ValueError, match="offset from UTC"):
        corroborate([bare])


def test_shots_come_out_of_sound_events_with_time_place_and_clock() -> None:
    heard = Detection(
        ordinal=3,
        label="gunshot",
        observation_type="human",
        confidence=0.6,
        model="birdnet",
        span=Span(start_s=6.0, end_s=9.0),
    )
    clock = Clock(source="gps", synchronised=True, error_s=0.05)
    event = msgspec.structs.replace(
        SOUND_EVENT, detections=(*SOUND_EVENT.detections, heard), location=RIDGE, clock=clock
    )
    (found,) = shots_of(event)
    assert found.at == event.captured_at + timedelta(seconds=7.5)
    assert (found.ordinal, found.within_s, found.clock_error_s, found.location) == (3, 1.5, 0.05, RIDGE)
    assert shots_of(EVENT) == []


def test_a_shot_without_span_may_lie_anywhere_in_the_capture() -> None:
    heard = Detection(ordinal=0, label="gunshot", observation_type="human", confidence=0.6, model="birdnet")
    (found,) = shots_of(msgspec.structs.replace(SOUND_EVENT, detections=(heard,)))
    assert found.within_s == SOUND_EVENT.duration_s / 2
    assert found.at == SOUND_EVENT.captured_at + timedelta(seconds=found.within_s)


SHOTS = st.lists(
    st.builds(
        shot,
        st.sampled_from(["ridge", "lake", "marsh"]),
        st.integers(0, 40).map(float),
        st.sampled_from([RIDGE, LAKE, None]),
        st.sampled_from([0.0, 3.0, None]),
        st.floats(0, 1),
    ),
    max_size=15,
    unique_by=lambda one: one.event_id,
)


@given(SHOTS, st.randoms(use_true_random=False))
def test_every_shot_is_in_one_incident_and_all_of_an_incident_fit(shots: list[Shot], order: random.Random) -> None:
    incidents = corroborate(shots)
    members = [one for incident in incidents for one in incident.shots]
    assert sorted(one.event_id for one in members) == sorted(one.event_id for one in shots)
    for incident in incidents:
        stations = [one.station for one in incident.shots]
        assert len(set(stations)) == len(stations)
        assert max(one.confidence for one in incident.shots) <= incident.confidence + 1e-12 <= 1 + 2e-12
        for one in incident.shots:  # any two of an incident are one by themselves
            for other in incident.shots:
                assert one is other or len(corroborate([one, other])) == 1
    shuffled = list(shots)
    order.shuffle(shuffled)
    assert corroborate(shuffled) == incidents


def test_a_simulated_shot_and_a_real_one_are_not_one_sound() -> None:
    detection = Detection(ordinal=0, label="gunshot", observation_type="human", confidence=0.9, model="birdnet")
    real = msgspec.structs.replace(
        SOUND_EVENT,
        station="ridge",
        detections=(detection,),
        location=RIDGE,
        clock=Clock(source="gps", synchronised=True, error_s=0.0),
    )
    simulated = msgspec.structs.replace(real, station="sim-001", event_id=EVENT.event_id, simulated=True)
    second = msgspec.structs.replace(simulated, station="sim-002")
    assert len(corroborate([*shots_of(real), *shots_of(simulated)], STILL)) == 2
    assert len(corroborate([*shots_of(simulated), *shots_of(second)], STILL)) == 1
