"""Interface of transports, which carry the outbox's messages to the server by network or on a USB stick."""

from typing import Protocol


class Transport(Protocol):
    """Sends the outbox's messages to the server in the outbox's order, from ``start`` until ``stop``.

    A message is deleted from the outbox only when the other side has confirmed that it is durable there. What is not
    confirmed is sent again: the server recognises repeated messages.
    """

    @property
    def connected(self) -> bool:
        """Whether messages can be sent now: the broker has accepted the station, or the stick is plugged in."""
        ...

    @property
    def problem(self) -> str:
        """Description of the problem that prevents sending; empty if there is none or none is known yet."""
        ...

    def start(self) -> None:
        """Start sending in the background and return; the broker or stick may become available later."""
        ...

    def drain(self, timeout_s: float) -> bool:
        """Wait until every message in the outbox has been confirmed.

        Args:
            timeout_s: How long to wait at most.

        Returns:
            Whether the outbox is empty.
        """
        ...

    def stop(self) -> None:
        """Stop sending; unconfirmed messages stay in the outbox."""
        ...
