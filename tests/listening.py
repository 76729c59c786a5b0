"""Whether something listens on a port of this machine, and whether it has closed a connection."""

import socket


def listens(port: int) -> bool:
    """Return whether a connection to the port is accepted.

    While nobody listens, a socket can connect to itself, if the system gives it this very port as its own.
    """
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0 and probe.getsockname() != probe.getpeername()


def is_closed(connection: socket.socket) -> bool:
    """Return whether the other side has closed a connection on which it sends nothing."""
    connection.setblocking(False)
    try:
        return connection.recv(1) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True
