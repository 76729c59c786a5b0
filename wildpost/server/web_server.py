"""Runs an ASGI application on a thread, with limits that leave the descriptors of the process to the intake."""

import asyncio
import contextlib
import resource
import socket
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from contract.supervision import SupervisedThread, Supervisor
from wildpost.server.bounded_protocol import BoundedProtocol, OpenConnections

MAX_CONNECTIONS = 128  # twenty browsers with six connections each
_SELECT_LIMIT = 1024  # paho waits with select(), which takes no descriptor from this number on
_MAX_HEADER_BYTES = 24 << 10  # above the limit of review.security, whose answer says what is too large
_ACCEPTED_AT_ONCE = 4  # asyncio opens so many before it closes the first: a burst must not take all descriptors
_QUEUE = 128  # connections that the kernel holds until they are accepted
_IDLE_S = 5  # between two requests on one connection
_STOP_S = 5  # for responses that are under way when the server stops


class _Server(uvicorn.Server):
    """uvicorn's server; when it stops, it also closes the connections whose clients take no response."""

    def __init__(self, config: uvicorn.Config, connections: OpenConnections) -> None:
        super().__init__(config)
        self._connections = connections

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let requests end, then close all connections."""
        await super().shutdown(sockets)
        self._connections.abort_all()
        await asyncio.sleep(0)  # the loop now closes the sockets
        await asyncio.sleep(0)


def connection_limit() -> int:
    """Return how many connections may be open: a third of the free descriptors, at most ``MAX_CONNECTIONS``.

    Another third is for the files that requests open, and the last for the intake.
    """
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    usable = min(soft if soft != resource.RLIM_INFINITY else _SELECT_LIMIT, _SELECT_LIMIT)
    return max(2, min(MAX_CONNECTIONS, (usable - sum(1 for _ in Path("/dev/fd").iterdir())) // 3))


@contextlib.contextmanager
def serve_http(
    app: ASGIApp,
    host: str,
    port: int,
    name: str,
    proxies: Sequence[str] = (),
    maximum: int | None = None,
    supervisor: Supervisor | None = None,
) -> Iterator[int]:
    """Serve an application over HTTP/1.1 until the context ends.

    Args:
        app: The application.
        host: Address or host name to listen on.
        port: Port to listen on; 0: any free port.
        name: Name of the thread.
        proxies: Addresses of reverse proxies whose X-Forwarded-For and X-Forwarded-Proto headers are believed.
        maximum: Largest number of open connections; None: by the free descriptors.
        supervisor: Register of the thread's failures; a web server that ends is started again on the same port.

    Yields:
        The port.

    Raises:
        OSError: the address is not available.
    """
    with contextlib.ExitStack() as stack:
        sockets = _listen(host, port)
        for one in sockets:
            stack.callback(one.close)
        maximum = maximum or connection_limit()
        connections = OpenConnections(maximum, max(2, maximum // 4))
        config = uvicorn.Config(
            app,
            http=partial(BoundedProtocol, connections),  # type: ignore[arg-type]
            ws="none",
            lifespan="off",
            log_config=None,  # the server's own log takes uvicorn's errors
            log_level="error",
            access_log=False,
            server_header=False,
            proxy_headers=bool(proxies),
            forwarded_allow_ips=list(proxies),
            backlog=_ACCEPTED_AT_ONCE,
            timeout_keep_alive=_IDLE_S,
            timeout_graceful_shutdown=_STOP_S,
            h11_max_incomplete_event_size=_MAX_HEADER_BYTES,
        )
        bound = int(sockets[0].getsockname()[1])
        servers = [_Server(config, connections)]  # the last one runs

        def serve() -> None:
            if servers[-1].started:  # it has ended
                servers[:] = [_Server(config, connections)]
                for one in sockets:
                    one.close()
                sockets[:] = _listen(host, bound)
            servers[-1].run(sockets)
            if not servers[-1].should_exit:
                raise RuntimeError("the web server ended")

        thread = SupervisedThread(name, serve, supervisor)
        stack.callback(thread.stopping.set)
        thread.start()
        while not servers[-1].started and not thread.part.problem:
            thread.join(0.01)
        if not servers[-1].started:
            raise OSError(f"the web server did not start on {host}:{port}: {thread.part.problem}")
        for one in sockets:
            one.listen(_QUEUE)
        try:
            yield bound
        finally:
            thread.stopping.set()
            servers[-1].should_exit = True
            thread.join(4 * _STOP_S)


def _listen(host: str, port: int) -> list[socket.socket]:
    """Return a listening socket for each address of a host."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    addresses = {(family, address[0]) for family, _, _, _, address in found}
    opened: list[socket.socket] = []
    try:
        for family, address in sorted(addresses, key=str):
            opened.append(socket.create_server((address, port), family=family, backlog=_ACCEPTED_AT_ONCE))
    except OSError as error:
        for one in opened:
            one.close()
        raise OSError(f"could not listen on {host}:{port}: {error.strerror or error}") from error
    return opened
