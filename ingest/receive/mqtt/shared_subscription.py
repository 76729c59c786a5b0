"""A worker's part in a group that shares the broker's messages."""

from dataclasses import dataclass

from contract import subscription
from contract.topics import KINDS


@dataclass(frozen=True, slots=True)
class SharedSubscription:
    """A worker's part in a group that shares the messages among its members.

    Attributes:
        group: Its name, the same for every worker on every machine.
        hears_status: Whether stations' status messages come to this one. They are not shared: the broker hands kept
            ones only to plain subscriptions, and two workers could store "online" after "offline".
        retiring: Whether it takes no new ones, and only what the broker still holds for it.
    """

    group: str
    hears_status: bool = False
    retiring: bool = False

    def subscriptions(self, prefix: str) -> list[str]:
        """Name what it hears."""
        shared = [subscription(prefix, kind, self.group) for kind in KINDS if kind != "status"]
        return shared + ([subscription(prefix, "status")] if self.hears_status else [])
