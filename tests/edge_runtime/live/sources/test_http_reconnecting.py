"""The grabber on an HTTP camera: it goes on, and its counts are exact."""

import gc
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from http_camera import LARGE, LONG, Answer, close, corrupted, stall, stream
from live_servers import HEADER, Connection, jpeg, network_camera, number_of, part, picture, serve
from skips import require_linux

from edgeclf.edge_runtime.live.observation import SourceCounts, SourceState
from edgeclf.edge_runtime.live.sources.grabber import Grabber
from edgeclf.edge_runtime.live.sources.health import Patience
from edgeclf.edge_runtime.live.sources.http_mjpeg import HttpMjpeg
from edgeclf.edge_runtime.live.sources.jpeg import decode_jpeg

SOON = Patience(
    deadline_s=LONG,
    stale_s=LONG,
    first_wait_s=0.001,
    longest_wait_s=0.01,
    attempts_a_minute=10_000,
)


@contextmanager
def grabbing(answer: Answer, *, deadline_s: float = LONG) -> Iterator[Grabber]:
    patience = replace(SOON, deadline_s=deadline_s)
    with serve(answer) as port:
        url = f"http://127.0.0.1:{port}/"
        grabber = Grabber(lambda: HttpMjpeg(network_camera(url)), name="camera", patience=patience)
        try:
            yield grabber
        finally:
            grabber.close(LONG)


FRAMES = 6


class Story:
    """A camera whose first connections end badly, after some frames; the last one lasts.

    Attributes:
        seen: the frames that were taken.
    """

    def __init__(self, ending: Answer, *, endings: int) -> None:
        self.seen: list[int] = []
        self.last = 10 * endings + FRAMES - 1
        self.sent = [
            10 * connection + number
            for connection in range(endings + 1)
            for number in range(FRAMES)
        ]
        self._ending = ending
        self._endings = endings

    def answer(self, client: Connection) -> None:
        client.send(HEADER)
        for number in range(FRAMES):
            client.send(part(jpeg(10 * client.number + number)))
            time.sleep(0.01)
        if client.number == self._endings:
            client.released.wait(LONG)
            return
        while 10 * client.number + FRAMES - 1 not in self.seen:
            if client.released.wait(0.01):
                return
        self._ending(client)


def cut(client: Connection) -> None:
    client.send(part(jpeg(77))[:-500])


def reset(client: Connection) -> None:
    client.reset()


def corrupt(client: Connection) -> None:
    for _ in range(4):
        client.send(part(corrupted(jpeg(77, **LARGE))))


@pytest.mark.parametrize(
    ("ending", "endings", "damaged", "timeouts"),
    [(close, 3, 0, 0), (reset, 3, 0, 0), (cut, 3, 3, 0), (corrupt, 3, 12, 0), (stall, 1, 0, 1)],
)
def test_it_goes_on_whatever_happens_and_counts_exactly(
    ending: Answer, endings: int, damaged: int, timeouts: int
) -> None:
    story = Story(ending, endings=endings)
    with grabbing(story.answer, deadline_s=3.0 if ending is stall else LONG) as grabber:
        end = time.monotonic() + LONG
        while story.last not in story.seen and time.monotonic() < end:
            got = grabber.take(0.1)
            if got is not None:
                story.seen.append(number_of(got.bgr))
        counts = grabber.health().counts
        assert grabber.health().state is SourceState.LIVE
    assert set(story.seen) <= set(story.sent)  # nothing damaged, nothing made up
    assert story.seen == sorted(story.seen)
    assert counts == SourceCounts(
        received=len(story.sent),
        replaced=len(story.sent) - len(story.seen),
        damaged=damaged,
        timeouts=timeouts,
        disconnects=endings,
        connects=endings + 1,
    )


def test_threads_and_descriptors_do_not_grow() -> None:
    require_linux()
    folder = Path("/proc/self/fd")
    decode_jpeg(jpeg(0))
    before = threading.active_count(), len(list(folder.iterdir()))
    with grabbing(stream(part(jpeg(1)))) as grabber:
        end = time.monotonic() + LONG
        while grabber.health().counts.connects < 20 and time.monotonic() < end:
            grabber.take(0.01)
    assert grabber.health().counts.connects >= 20
    assert (threading.active_count(), len(list(folder.iterdir()))) == before


def test_a_lost_connection_is_freed_at_once() -> None:
    """A cycle of references would keep it, its buffer and its last frame for minutes."""
    made: list[weakref.ref[HttpMjpeg]] = []
    with serve(stream(part(jpeg(1)), part(corrupted(jpeg(2, **LARGE))), part(jpeg(3)))) as port:

        def connect() -> HttpMjpeg:
            capture = HttpMjpeg(network_camera(f"http://127.0.0.1:{port}/"))
            made.append(weakref.ref(capture))
            return capture

        gc.disable()
        try:
            grabber = Grabber(connect, name="camera", patience=SOON)
            end = time.monotonic() + LONG
            while grabber.health().counts.disconnects < 5 and time.monotonic() < end:
                grabber.take(0.01)
            grabber.close(LONG)
            counts = grabber.health().counts
            assert (counts.disconnects >= 5, counts.damaged >= 5) == (True, True)
            assert [each() for each in made] == [None] * len(made)
        finally:
            gc.enable()


def test_pictures_of_the_tests_are_distinct() -> None:
    assert [number_of(picture(number)) for number in range(256)] == list(range(256))
