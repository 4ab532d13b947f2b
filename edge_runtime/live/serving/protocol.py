"""HTTP of the page on one connection, within limits."""

import asyncio
import logging
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from .connections import DEADLINE_S, first_to_close, network_of

# So many may wait for a request, or be answered without the token; above the length of the queue
# of the system, so that nobody is closed before what they sent is read.
_MOST_WAITING = 192
BACKLOG = 128

# uvicorn warns of each request that is none, by which anybody could fill the log.
_LOGGER = logging.getLogger("uvicorn.error").getChild("page")
_LOGGER.setLevel(logging.ERROR)


class BoundedProtocol(H11Protocol):
    """uvicorn's protocol, in which who may not ask has a deadline and little room.

    A connection waits unless it answers a request that was admitted: one whose scope's `state`
    has `admitted`. It is closed after `DEADLINE_S` of that, even if it drips, and earlier where
    too many wait: the oldest of the client that has the most.

    Attributes:
        network: who opened it, as `network_of` returns it.
        since: when it began to wait, in seconds of the loop's clock.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        """Take what uvicorn gives its protocols."""
        super().__init__(*arguments, **options)
        self.logger = _LOGGER
        self.network = ""
        self.since = 0.0
        self._is_dropped = False
        self._deadline: asyncio.TimerHandle | None = None

    @property
    def is_waiting(self) -> bool:
        """Whether it waits for a request, or for one without the token to end."""
        if self._is_dropped:
            return False
        if self.cycle is None or not self.cycle.scope["state"].get("admitted"):
            return True
        return self.cycle.response_complete and not self.transport.get_write_buffer_size()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait; make room where too many do."""
        super().connection_made(transport)
        self.network = network_of(self.client[0] if self.client else "")
        self._wait()
        others = [
            each
            for each in self.connections
            if isinstance(each, BoundedProtocol) and each is not self and each.is_waiting
        ]
        if len(others) >= _MOST_WAITING:
            first_to_close(others).drop()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the deadline."""
        self._forget_deadline()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        self._wait()
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no request; hang up where an answer has begun, which h11 cannot end."""
        if self.cycle is None and self.conn.our_state is h11.IDLE:
            super().send_400_response(msg)
        else:
            self.drop()

    def drop(self) -> None:
        """Close the connection at once, with what was not sent yet."""
        self._is_dropped = True
        if self.cycle is not None:
            self.cycle.disconnected = True
        self.transport.abort()

    def _wait(self) -> None:
        self.since = self.loop.time()
        self._forget_deadline()
        self._deadline = self.loop.call_later(DEADLINE_S, self._end_waiting)

    def _end_waiting(self) -> None:
        if self.is_waiting:
            self.drop()
        else:  # a slow viewer may still be reading
            self._wait()

    def _forget_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
