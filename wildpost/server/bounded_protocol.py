"""HTTP connections with limits that uvicorn does not have: number, time for a request, time for sending a response."""

import asyncio
from collections import Counter
from typing import Any

import h11
from uvicorn import Config
from uvicorn.protocols.http.h11_impl import STATUS_PHRASES, H11Protocol
from uvicorn.server import ServerState

from review.security.answer_headers import SECURITY_HEADERS

REQUEST_S = 15.0  # for a whole request, headers and body: 64 kB take 10 s at 50 kbit/s
STALLED_S = 15.0  # a client that took nothing of a response for so long is gone
UNSENT_BYTES = 128 << 20  # of all responses that wait for their clients
RETRY_S = 5


class OpenConnections:
    """The open connections of one web server, oldest first; makes room for a new one by closing an idle one.

    A client that sends its request at once is served even while others hold as many connections as there may be.
    """

    def __init__(self, maximum: int, per_address: int) -> None:
        """Store the largest number of connections in all and of one address; loopback addresses share no limit."""
        self._maximum = maximum
        self._per_address = per_address
        self._open: dict[BoundedProtocol, str] = {}

    def __len__(self) -> int:
        """Return the number of open connections."""
        return len(self._open)

    def add(self, connection: "BoundedProtocol", address: str) -> bool:
        """Add a connection; return False if there is no room and none that is idle could be closed for it."""
        crowd = list(self._open)
        if not _is_loopback(address) and Counter(self._open.values())[address] >= self._per_address:
            crowd = [one for one, other in self._open.items() if other == address]
        elif len(crowd) < self._maximum:
            crowd = []
        if crowd:
            idle = next((one for one in crowd if one.idle), None)
            if idle is None:
                return False
            idle.abort()
        self._open[connection] = address
        return True

    def discard(self, connection: "BoundedProtocol") -> None:
        """Remove a closed connection."""
        self._open.pop(connection, None)

    def abort_all(self) -> None:
        """Close all connections at once."""
        for connection in list(self._open):
            connection.abort()

    def bound_unsent(self) -> None:
        """Close the connections with the most unsent bytes until all together are within the limit."""
        unsent = sorted(((one.unsent, number, one) for number, one in enumerate(self._open)), reverse=True)
        total = sum(size for size, _, _ in unsent)
        for size, _, connection in unsent:
            if total <= UNSENT_BYTES:
                return
            connection.abort()
            total -= size


def _is_loopback(address: str) -> bool:
    return address == "::1" or address.startswith("127.")


class _Connection(h11.Connection):
    """h11's parser of one connection; keeps the status code of a request that it refused."""

    refused = 0

    def next_event(self) -> Any:
        """Return the next event, as h11 does.

        Raises:
            h11.RemoteProtocolError: the request is malformed or too large.
        """
        try:
            return super().next_event()
        except h11.RemoteProtocolError as error:
            self.refused = error.error_status_hint
            raise


class BoundedProtocol(H11Protocol):
    """One connection of the web server."""

    def __init__(
        self,
        connections: OpenConnections,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        """Create the connection; uvicorn passes all arguments but the first."""
        super().__init__(config, server_state, app_state, _loop)
        self.conn = _Connection(h11.SERVER, config.h11_max_incomplete_event_size or 0)
        self._connections_of_server = connections
        self._request_timer: asyncio.TimerHandle | None = None
        self._send_timer: asyncio.TimerHandle | None = None

    @property
    def idle(self) -> bool:
        """Whether no request is being answered: none has arrived in full, or its response is complete."""
        receiving = self.conn.their_state in (h11.IDLE, h11.SEND_BODY)
        return receiving or self.cycle is None or self.cycle.response_complete

    @property
    def unsent(self) -> int:
        """Number of bytes that wait for the client."""
        return self.transport.get_write_buffer_size()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Accept the connection, or refuse it where there is no room."""
        super().connection_made(transport)
        if not self._connections_of_server.add(self, self.client[0] if self.client else ""):
            self._refuse(503)
            return
        self._start_request_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._connections_of_server.discard(self)
        self._stop_request_timer()
        if self._send_timer:
            self._send_timer.cancel()
        super().connection_lost(exc)

    def abort(self) -> None:
        """Close the connection at once, without sending what waits."""
        self._connections_of_server.discard(self)
        self.transport.abort()

    def handle_events(self) -> None:
        """Handle what arrived, and watch the time while a request is incomplete."""
        super().handle_events()
        if self.conn.their_state in (h11.IDLE, h11.SEND_BODY):
            self._start_request_timer()
        else:
            self._stop_request_timer()

    def on_response_complete(self) -> None:
        """Watch that the client takes the response."""
        super().on_response_complete()
        self._watch_sending()

    def pause_writing(self) -> None:
        """Watch that the client takes the response, and that all unsent responses fit into memory."""
        super().pause_writing()
        self._watch_sending()
        self._connections_of_server.bound_unsent()

    def send_400_response(self, msg: str) -> None:
        """Refuse a request that h11 could not read, with the status code that h11 proposes."""
        self._refuse(getattr(self.conn, "refused", 0) or 400)

    def _start_request_timer(self) -> None:
        if self._request_timer is None:
            self._request_timer = self.loop.call_later(REQUEST_S, self._request_late)

    def _stop_request_timer(self) -> None:
        if self._request_timer is not None:
            self._request_timer.cancel()
            self._request_timer = None

    def _request_late(self) -> None:
        self._request_timer = None
        if self.conn.their_state is h11.IDLE or self.transport.is_closing():
            self.abort()  # there is no request to answer
        else:
            self._refuse(408)

    def _refuse(self, code: int) -> None:
        """Send a response of our own and close the connection; without one where another response has begun."""
        if self.cycle is not None:
            self.cycle.disconnected = True  # the application's response, if any, is not sent
            self.cycle.message_event.set()
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            reason = STATUS_PHRASES.get(code, b"")
            headers = [("Content-Type", "text/plain"), ("Content-Length", str(len(reason))), ("Connection", "close")]
            headers += [*SECURITY_HEADERS, ("Cache-Control", "no-store")]
            if code == 503:
                headers.append(("Retry-After", str(RETRY_S)))
            self.transport.write(self.conn.send(h11.Response(status_code=code, headers=headers, reason=reason)) or b"")
            self.transport.write(self.conn.send(h11.Data(data=reason)) or b"")
            self.conn.send(h11.EndOfMessage())
        self.transport.close()
        self._watch_sending()

    def _watch_sending(self) -> None:
        if self._send_timer is None and self.unsent:
            self._send_timer = self.loop.call_later(STALLED_S, self._sending_late, self.unsent)

    def _sending_late(self, before: int) -> None:
        self._send_timer = None
        if self.unsent and self.unsent >= before:
            self.abort()
        else:
            self._watch_sending()
