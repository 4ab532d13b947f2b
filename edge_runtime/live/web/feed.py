"""The newest of everything, put there by the camera's loop and waited for by the server's."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from ..observation import Event, Observation, SourceHealth
from .pictures import PictureMaker

_HISTORY = 50
# How long the loop goes on making heatmaps after somebody last asked for one, in seconds.
_HEATMAP_LINGERS = 3.0


class Feed:
    """One slot each for the observation and the health, and the last events.

    The `put` methods are for any thread and return at once; `attach` and what waits belong to the
    server's event loop. A picture is made when somebody asks for it: the first to ask waits for
    the encoding, everybody else gets the same bytes, and a frame nobody asks for costs nothing.

    Attributes:
        newest: the newest observation and its number, counted from 1; 0 and None before the first.
        health: the newest.
        events: the last ones, oldest first.
        events_seen: how many there were.
        encoded: how many pictures were made.
        closed: whether the run is over.
    """

    def __init__(self, pictures: PictureMaker) -> None:
        """Start empty; `pictures` makes the JPEG files."""
        self.newest: tuple[int, Observation | None] = (0, None)
        self.health: SourceHealth | None = None
        self.events: deque[Event] = deque(maxlen=_HISTORY)
        self.events_seen = 0
        self.encoded = 0
        self.closed = False
        self._pictures = pictures
        self._heatmap_until = 0.0
        # With and without heatmap: the newest picture with its number, and whose turn it is.
        self._made = {True: (0, b""), False: (0, b"")}
        self._turn = {True: asyncio.Lock(), False: asyncio.Lock()}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._news = asyncio.Event()
        self._awaited = False

    @property
    def wants_heatmap(self) -> bool:
        """Whether somebody looks at heatmaps."""
        return time.monotonic() < self._heatmap_until

    def put(self, observation: Observation) -> None:
        """Make `observation` the newest."""
        self.newest = (self.newest[0] + 1, observation)
        self._tell()

    def put_health(self, health: SourceHealth) -> None:
        """Make `health` the newest."""
        self.health = health
        self._tell()

    def put_event(self, event: Event) -> None:
        """Add `event` to the last ones."""
        self.events.append(event)
        self.events_seen += 1
        self._tell()

    def close(self) -> None:
        """End all waiting."""
        self.closed = True
        self._awaited = True
        self._tell()

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """Wait in `loop` from now on."""
        self._loop = loop

    async def wait_for(self, happened: Callable[[], bool], *, seconds: float) -> bool:
        """Wait until `happened` is true; tell whether it is, or the time or the run is over."""
        deadline = time.monotonic() + seconds
        while not self.closed:
            news = self._news
            self._awaited = True  # before the question, so that no answer falls between
            if happened():
                return True
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(news.wait(), left)
        return False

    async def picture(
        self, *, after: int, heatmap: bool, seconds: float = 10
    ) -> tuple[int, bytes] | None:
        """Return a picture newer than number `after` with its own number, once there is one.

        Args:
            after: the number of the last picture that the viewer got; 0 for none.
            heatmap: whether the heatmap lies over it, where the model makes one.
            seconds: how long to wait for it.
        """
        if heatmap:
            self._heatmap_until = time.monotonic() + _HEATMAP_LINGERS
        if not await self.wait_for(lambda: self.newest[0] > after, seconds=seconds):
            return None
        number, observation = self.newest
        assert observation is not None
        overlaid = observation.prediction.heatmap if heatmap else None
        kind = overlaid is not None
        async with self._turn[kind]:
            if self._made[kind][0] < number:
                jpeg = await asyncio.to_thread(self._pictures.jpeg, observation.frame.bgr, overlaid)
                self.encoded += 1
                self._made[kind] = (number, jpeg)
            return self._made[kind]

    def wake(self) -> None:
        """Have whoever waits look again, in any case."""
        self._tell()

    def _tell(self) -> None:
        if self._awaited and self._loop is not None:
            self._awaited = False
            with suppress(RuntimeError):  # the server has just ended
                self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()
