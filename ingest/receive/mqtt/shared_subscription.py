"""Shared subscription of a group of ingest workers."""

from dataclasses import dataclass

from contract import subscription
from contract.topics import KINDS


@dataclass(frozen=True, slots=True)
class SharedSubscription:
    """Subscription of one worker in a group that shares the messages.

    Attributes:
        group: Name of the group, equal for every worker on every machine.
        hears_status: Whether this worker receives the status messages of stations. They are not shared: the broker
            sends retained messages only to plain subscriptions, and two workers could store "online" after "offline".
        retiring: Whether the worker takes no new messages, only those the broker has already queued for it.
    """

    group: str
    hears_status: bool = False
    retiring: bool = False

    def subscriptions(self, prefix: str) -> list[str]:
        """Return the topic filters of this worker."""
        shared = [subscription(prefix, kind, self.group) for kind in KINDS if kind != "status"]
        return shared + ([subscription(prefix, "status")] if self.hears_status else [])
