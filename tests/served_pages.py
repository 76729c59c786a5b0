"""Pages served by a thread of the test."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI

from tests.eventually import eventually


@contextmanager
def served(app: FastAPI) -> Iterator[str]:
    """Serve pages on a free port, as `wildpost serve` does, until the context ends; yield their address."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        eventually(lambda: server.started or not thread.is_alive(), "the pages are served")
        assert thread.is_alive(), "the pages did not start"
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(10)
