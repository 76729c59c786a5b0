"""Bounds how many requests run at once; requests for health and metrics have slots of their own."""

import asyncio
from contextlib import AsyncExitStack

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from review.security.request_checks import Refuse

RUNNING = 24  # fewer than the 40 threads in which Starlette runs handlers, so that one is left for /healthz
WAIT_S = 5.0
RETRY_S = 5
_OPERATIONS = ("/healthz", "/metrics")
_OPERATIONS_RUNNING = 4


class RequestSlots:
    """ASGI middleware that lets a bounded number of requests run; the others wait, then get 503 with Retry-After.

    A request leaves its slot when its response begins: from then on, only the connection is in use.
    """

    def __init__(self, app: ASGIApp, refuse: Refuse, running: int = RUNNING, wait_s: float = WAIT_S) -> None:
        """Store the application, the response to refused requests, the number of slots and the longest wait."""
        self._app = app
        self._refuse = refuse
        self._wait_s = wait_s
        self._slots = asyncio.Semaphore(running)
        self._operations = asyncio.Semaphore(_OPERATIONS_RUNNING)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        async with AsyncExitStack() as slot:
            try:
                async with asyncio.timeout(self._wait_s):
                    await slot.enter_async_context(self._operations if scope["path"] in _OPERATIONS else self._slots)
            except TimeoutError:
                response = self._refuse(scope, 503)
                response.headers["Retry-After"] = str(RETRY_S)
                await response(scope, receive, send)
                return

            async def send_and_leave(message: Message) -> None:
                await slot.aclose()
                await send(message)

            await self._app(scope, receive, send_and_leave)
