"""Media without a known event: bounded, and an honest station loses none."""

import hashlib
from collections.abc import Sequence

from contract import MediaContent, new_event_id
from ingest.budgets.unclaimed_media import UnclaimedMedia

LIMIT = 10_000


class Case:
    """A limit, the events that the store has, and the number of queries to it."""

    def __init__(self) -> None:
        self.now = 0.0
        self.stored: set[str] = set()
        self.queries = 0
        self.media = UnclaimedMedia(self._known, LIMIT, lambda: self.now)

    def _known(self, event_ids: Sequence[str]) -> list[str]:
        self.queries += 1
        return [one for one in event_ids if one in self.stored]

    def admits(self, event_id: str, station: str = "st1", size: int = 1000) -> bool:
        data = bytes(size)
        sha256 = hashlib.sha256(event_id.encode()).hexdigest()
        content = MediaContent(
            event_id=event_id, station=station, sha256=sha256, type="image/jpeg", role="thumbnail", data=data
        )
        return self.media.admit([content]) == [True]

    def flood(self, station: str, count: int = 100) -> int:
        return sum(self.admits(new_event_id(), station) for _ in range(count))


def test_media_that_no_event_names_are_kept_up_to_the_limit() -> None:
    assert Case().flood("st1") == LIMIT // 1000


def test_media_of_stored_events_are_kept_without_limit_and_without_a_query() -> None:
    case = Case()
    ids = [new_event_id() for _ in range(500)]
    case.media.claim(ids)
    assert all(case.admits(one) for one in ids)
    assert case.queries == 0


def test_media_that_arrive_before_their_events_are_kept_without_limit() -> None:
    case = Case()
    for _ in range(500):
        case.now += 1
        event_id = new_event_id()
        assert case.admits(event_id)
        case.stored.add(event_id)


def test_media_of_events_stored_long_ago_are_kept_though_the_limit_is_used_up() -> None:
    case = Case()
    case.flood("st1")
    old = new_event_id()
    case.stored.add(old)
    assert case.admits(old)


def test_a_medium_that_is_delivered_again_counts_once() -> None:
    case = Case()
    event_id = new_event_id()
    assert all(case.admits(event_id) for _ in range(100))
    assert case.flood("st1") == LIMIT // 1000 - 1


def test_all_stations_together_have_a_limit_that_spares_those_with_few() -> None:
    case = Case()
    assert sum(case.flood(f"stolen-{number}") for number in range(50)) <= 5 * LIMIT // 1000 + 50
    assert case.admits(new_event_id(), "honest")


def test_a_flood_does_not_cost_a_query_of_all_its_media_each_time() -> None:
    case = Case()
    case.flood("st1", 1000)
    assert case.queries <= 1000


def test_after_a_day_further_media_are_kept() -> None:
    case = Case()
    case.flood("st1")
    case.now += 24 * 3600 + 10
    assert case.flood("st1") == LIMIT // 1000
