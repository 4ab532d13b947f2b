"""The web view as a sink: a server on a thread of its own."""

import asyncio
import socket
import threading
from typing import TYPE_CHECKING

from ..observation import Event, Observation, SourceHealth
from .feed import Feed

if TYPE_CHECKING:
    from starlette.types import ASGIApp

_CLOSING_S = 1.0


class WebView:
    """Shows a live run to browsers; what it costs the camera's loop is a slot and a wake-up.

    Attributes:
        name: what warnings call it.
        feed: the newest of everything, as the server sees it.
        port: where it listens.
        url: by which other machines reach it, without a token; None if they cannot.
    """

    name = "web"

    def __init__(self, feed: Feed, app: "ASGIApp", listener: socket.socket) -> None:
        """Serve `app`, which shows `feed`, on `listener`, which is bound, from now on."""
        import uvicorn

        from ..serving.protocol import BACKLOG, BoundedProtocol

        self.feed = feed
        self.url: str | None = None
        self.port: int = listener.getsockname()[1]
        self._listener = listener
        config = uvicorn.Config(
            app,
            loop="asyncio",
            http=BoundedProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            backlog=BACKLOG,
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._run, name="edgeclf-web", daemon=True)
        self._thread.start()

    @property
    def wants_heatmap(self) -> bool:
        """Whether somebody looks at heatmaps; the loop asks before it makes one."""
        return self.feed.wants_heatmap

    def observe(self, observation: Observation) -> None:
        """Show a classified frame to whoever looks."""
        self.feed.put(observation)

    def report_event(self, event: Event, observation: Observation) -> None:  # noqa: ARG002
        """Add a change of the label to the history."""
        self.feed.put_event(event)

    def report_health(self, health: SourceHealth) -> None:
        """Show how the camera is."""
        self.feed.put_health(health)

    def close(self) -> None:
        """Tell the pages that the run is over, and end the server."""
        self.feed.close()
        self._server.should_exit = True
        self._thread.join(_CLOSING_S)
        if self._thread.is_alive():
            self._server.force_exit = True
        self._listener.close()

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self.feed.attach(asyncio.get_running_loop())
        await self._server.serve(sockets=[self._listener])
