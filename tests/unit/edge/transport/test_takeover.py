"""Two clients of one name at a broker that allows one connection: both back off, and one left alone recovers."""

import random
from dataclasses import dataclass, field

import pytest

from edge.transport.mqtt.takeover import Takeovers


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Client:
    """A client that connects when its pause is over."""

    clock: Clock
    longest_s: float
    chance: random.Random
    next_s: float = 0.0
    connected_at: list[float] = field(default_factory=list)
    contested_at: float | None = None
    resolved_at: float | None = None

    def __post_init__(self) -> None:
        self.takeovers = Takeovers(self.longest_s, self.clock, self.chance.uniform)

    def lose(self, said: bool) -> None:
        self.next_s = self.clock.now + self.takeovers.lost(said)
        if self.takeovers.contested and self.contested_at is None:
            self.contested_at = self.clock.now


def contest(seconds: float, said: bool, seed: int, longest_s: float = 300, alone_after_s: float = 1e9) -> list[Client]:
    """Let two clients take the connection from each other; the broker says so or does not."""
    clock, chance = Clock(), random.Random(seed)
    clients = [Client(clock, longest_s, chance), Client(clock, longest_s, chance, next_s=0.4)]
    holder: Client | None = None
    while clock.now < seconds:
        present = clients if clock.now < alone_after_s else clients[:1]
        if holder not in present:
            holder = None
        for client in present:
            if client is holder and client.takeovers.resolved():
                client.resolved_at = clock.now
            elif client is not holder and clock.now >= client.next_s:
                if holder is not None:
                    holder.lose(said)
                holder = client
                client.takeovers.accepted()
                client.connected_at.append(clock.now)
        clock.now += 0.5
    return clients


@pytest.mark.parametrize("said", [True, False])
@pytest.mark.parametrize("seed", range(3))
def test_both_notice_soon_and_pause_longer_and_longer(said: bool, seed: int) -> None:
    clients = contest(4 * 3600, said, seed)
    for client in clients:
        assert client.contested_at is not None
        assert client.contested_at < 60
        assert client.takeovers.contested, "all the time"
        assert client.resolved_at is None
    changes = sorted(at for client in clients for at in client.connected_at)
    assert sum(at < 60 for at in changes) < 20
    in_last_hour = [at for at in changes if at > 3 * 3600]
    assert 4 < len(in_last_hour) < 60, "about every five minutes by turns"


@pytest.mark.parametrize("said", [True, False])
@pytest.mark.parametrize("seed", range(3))
def test_the_one_that_stays_recovers_by_itself(said: bool, seed: int) -> None:
    stays, _ = contest(2 * 3600, said, seed, alone_after_s=3600)
    assert stays.resolved_at is not None
    assert 3600 < stays.resolved_at < 3600 + 1500 + 450
    assert not stays.takeovers.contested
    assert stays.takeovers.lost(taken_over=False) <= 1, "it starts anew"


def test_a_connection_that_breaks_now_and_then_is_no_contest() -> None:
    clock = Clock()
    takeovers = Takeovers(300, clock)
    for lasts_s in (5, 900, 20, 15, 12, 4, 3600, 8, 700, 60):
        takeovers.accepted()
        clock.now += lasts_s
        takeovers.lost(taken_over=False)
        assert not takeovers.contested


def test_what_has_another_reason_does_not_count() -> None:
    clock = Clock()
    takeovers = Takeovers(300, clock)
    for _ in range(10):
        takeovers.accepted()
        clock.now += 1
        assert takeovers.lost(taken_over=False, explained=True) <= 1
    assert not takeovers.contested


def test_pauses_are_bounded_and_differ() -> None:
    clock = Clock()
    takeovers = Takeovers(40, clock, random.Random(3).uniform)
    pauses = []
    for _ in range(50):
        takeovers.accepted()
        pauses.append(takeovers.lost(taken_over=True))
    assert max(pauses) <= 60
    assert min(pauses[10:]) >= 20
    assert len(set(pauses[10:])) > 30
