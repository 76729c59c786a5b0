"""What every transport does: it carries the outbox's messages to the server, by network or by hand."""

from typing import Protocol


class Transport(Protocol):
    """Carries messages off the station, from ``start`` to ``stop``, in the outbox's order.

    A message is deleted from the outbox only when the other side has confirmed that it is durable there. What is not
    confirmed is sent again: the server recognises repeated messages.
    """

    @property
    def connected(self) -> bool:
        """Whether messages can leave now: the broker has accepted the station, or the stick is plugged in."""
        ...

    @property
    def problem(self) -> str:
        """Why messages cannot leave, in words; "": they can, or nothing is known yet."""
        ...

    def start(self) -> None:
        """Begin to carry messages, now or as soon as the other side is reachable; returns at once."""
        ...

    def drain(self, timeout_s: float) -> bool:
        """Wait until every message has been confirmed.

        Args:
            timeout_s: How long to wait at most.

        Returns:
            Whether the outbox is empty.
        """
        ...

    def stop(self) -> None:
        """End; unconfirmed messages stay in the outbox."""
        ...
