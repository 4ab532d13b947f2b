"""The grabber on cameras that do what they are told, a step at a time."""

import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import cv2
import numpy as np
import pytest
from live_servers import jpeg, number_of, picture

from edgeclf.edge_runtime.live.observation import SourceCounts, SourceState
from edgeclf.edge_runtime.live.sources.capture import (
    Capture,
    DamagedError,
    EndError,
    LateError,
    LostError,
    RawFrame,
    RefusedError,
)
from edgeclf.edge_runtime.live.sources.grabber import Grabber
from edgeclf.edge_runtime.live.sources.health import Patience

SOON = Patience(first_wait_s=0.001, longest_wait_s=0.002, attempts_a_minute=10_000)
LONG = 20.0  # seconds that nothing here takes


class Clock:
    """A clock that stands still until it is told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Camera:
    """A camera whose reads return, or raise, what is put into `steps`, in that order."""

    def __init__(self) -> None:
        self.steps: queue.Queue[Any] = queue.Queue()
        self.opening: queue.Queue[Exception | None] = queue.Queue()
        self.events: list[str] = []
        self.taken = threading.Semaphore(0)

    def connect(self) -> Capture:
        return _Connection(self)

    def send(self, *steps: object) -> None:
        """Let the camera do these, and wait until it asks for more."""
        for step in steps:
            self.steps.put(step)
        for _ in steps:
            assert self.taken.acquire(timeout=LONG)


class _Connection:
    def __init__(self, camera: Camera) -> None:
        self._camera = camera
        self._pending = False

    def open(self, deadline: float) -> None:
        assert deadline > 0
        self._camera.events.append("open")
        try:
            error = self._camera.opening.get_nowait()
        except queue.Empty:
            return
        if error is not None:
            raise error

    def read(self, deadline: float) -> RawFrame:
        assert deadline > 0
        if self._pending:
            self._camera.taken.release()
        step = self._camera.steps.get(timeout=LONG)
        self._pending = True
        if isinstance(step, threading.Event):
            assert step.wait(LONG)
            step = frame(99)
        if isinstance(step, Exception):
            if not isinstance(step, DamagedError):
                self._pending = False
                self._camera.taken.release()
            raise step
        assert isinstance(step, RawFrame)
        return step

    def cancel(self) -> None:
        self._camera.events.append("cancel")
        self._camera.steps.put(LostError("cancelled"))

    def close(self) -> None:
        self._camera.events.append("close")


def frame(number: int, *, encoded: bool = False) -> RawFrame:
    pixels = jpeg(number) if encoded else picture(number)
    return RawFrame(pixels, time.monotonic(), time.time())


@contextmanager
def grabbing(
    camera: Camera, patience: Patience = SOON, clock: Callable[[], float] = time.monotonic
) -> Iterator[Grabber]:
    grabber = Grabber(camera.connect, name="camera", patience=patience, clock=clock)
    try:
        yield grabber
    finally:
        grabber.close(LONG)


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + LONG
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.002)


def taken(grabber: Grabber) -> int:
    got = grabber.take(LONG)
    assert got is not None
    return number_of(got.bgr)


@pytest.mark.parametrize("encoded", [False, True])
def test_the_newest_frame_is_what_is_taken(encoded: bool) -> None:
    camera = Camera()
    with grabbing(camera) as grabber:
        camera.send(*(frame(number, encoded=encoded) for number in range(1, 6)))
        assert taken(grabber) == 5
        assert grabber.take(0) is None
        camera.send(frame(6, encoded=encoded))
        assert taken(grabber) == 6
        assert grabber.health().counts == SourceCounts(received=6, replaced=4, connects=1)


def test_numbers_arrival_and_name_go_with_the_frame() -> None:
    camera = Camera()
    with grabbing(camera) as grabber:
        raw = frame(1)
        camera.send(frame(0), raw)
        got = grabber.take(LONG)
        assert got is not None
        assert (got.number, got.arrived, got.taken_at) == (1, raw.arrived, raw.taken_at)
        assert got.source == "camera"
        assert got.bgr is raw.pixels  # not copied


def test_a_frame_that_nobody_took_is_counted_at_the_end() -> None:
    camera = Camera()
    with grabbing(camera) as grabber:
        camera.send(frame(1), frame(2))
    assert grabber.health().counts == SourceCounts(received=2, replaced=1, connects=1)


def test_damaged_frames_are_counted_and_passed_over() -> None:
    camera = Camera()
    whole = jpeg(3, height=240, width=320)
    middle = len(whole) * 3 // 4
    corrupt = RawFrame(whole[:middle] + b"\x55" * 300 + whole[middle + 300 :], 0, 0)
    with grabbing(camera) as grabber:
        camera.send(frame(1), DamagedError("cut", damaged=1))
        assert taken(grabber) == 1
        camera.send(corrupt)
        assert grabber.take(0.01) is None
        camera.send(frame(4))
        assert taken(grabber) == 4
        assert grabber.health().counts == SourceCounts(received=2, damaged=2, connects=1)


def test_it_connects_again_after_each_loss_and_lets_go_of_each_connection() -> None:
    camera = Camera()
    with grabbing(camera) as grabber:
        for number in range(4):
            camera.send(frame(number))
            assert taken(grabber) == number
            camera.send(LostError("the cable"))
        until(lambda: camera.events.count("open") == 5)
        assert camera.events[:8] == ["open", "close"] * 4
        counts = grabber.health().counts
        assert (counts.received, counts.disconnects, counts.timeouts) == (4, 4, 0)
    assert camera.events.count("open") == camera.events.count("close")


def test_what_fails_to_connect_is_no_disconnect() -> None:
    camera = Camera()
    for error in (LateError("no answer"), LostError("no such host"), LateError("no answer")):
        camera.opening.put(error)
    with grabbing(camera) as grabber:
        camera.send(frame(1))
        assert taken(grabber) == 1
        assert grabber.health().counts == SourceCounts(received=1, timeouts=2, connects=1)


def test_a_late_read_counts_as_both() -> None:
    camera = Camera()
    with grabbing(camera) as grabber:
        camera.send(frame(1), LateError("no frame", damaged=1), frame(2))
        assert grabber.health().counts.timeouts == 1
        assert grabber.health().counts.disconnects == 1
        assert grabber.health().counts.damaged == 1


def test_the_reason_is_reported_until_it_is_over() -> None:
    camera = Camera()
    for _ in range(3):
        camera.opening.put(RefusedError("the camera refuses: 403 Forbidden"))
    with grabbing(camera) as grabber:
        until(lambda: grabber.health().state is SourceState.DEAD)
        assert grabber.health().reason == "the camera refuses: 403 Forbidden"
        camera.send(frame(1))
        health = grabber.health()
        assert (health.state, health.reason) == (SourceState.LIVE, "")


def test_the_end_of_a_source_comes_after_its_last_frame() -> None:
    camera = Camera()
    with grabbing(camera) as grabber:
        camera.send(frame(1), EndError("the end of the video"))
        until(lambda: grabber.health().state is SourceState.DEAD)
        assert not grabber.ended
        assert taken(grabber) == 1
        assert grabber.ended
        assert grabber.take(LONG) is None
        assert camera.events == ["open", "close"]


def test_a_frozen_picture_is_not_handed_on_and_is_connected_anew() -> None:
    camera, clock = Camera(), Clock()
    still = frame(7).pixels
    patience = Patience(frozen_s=10, first_wait_s=0.0, longest_wait_s=0.0)
    with grabbing(camera, patience, clock) as grabber:
        for _ in range(11):
            camera.send(RawFrame(still.copy(), 0, 0))
            clock.now += 1
        assert taken(grabber) == 7
        camera.send(RawFrame(still.copy(), 0, 0))
        assert grabber.take(0) is None
        health = grabber.health()
        assert (health.state, health.reason) == (SourceState.STALE, "the picture is frozen")
        assert health.counts == SourceCounts(received=12, replaced=10, frozen=1, connects=1)
        clock.now += 10
        camera.steps.put(RawFrame(still.copy(), 0, 0))
        until(lambda: grabber.health().counts.connects == 2)
        camera.send(frame(8))
        assert taken(grabber) == 8
        assert grabber.health().state is SourceState.LIVE


def test_one_pixel_makes_another_picture() -> None:
    camera, clock = Camera(), Clock()
    with grabbing(camera, clock=clock) as grabber:
        for number in range(40):
            pixels = picture(7)
            pixels[number, 3, 1] ^= 1
            camera.send(RawFrame(pixels, 0, 0))
            clock.now += 1
        assert grabber.health().counts.frozen == 0


def test_a_call_that_hangs_is_given_up_and_its_handle_is_let_go_when_it_returns() -> None:
    camera, clock = Camera(), Clock()
    hang = threading.Event()
    patience = Patience(deadline_s=5, grace_s=1, first_wait_s=0.0, longest_wait_s=0.0)
    with grabbing(camera, patience, clock) as grabber:
        camera.send(frame(1))
        assert taken(grabber) == 1
        camera.steps.put(hang)
        until(camera.steps.empty)
        clock.now += 5.5
        assert grabber.health().counts.timeouts == 0
        clock.now += 1
        health = grabber.health()
        assert health.counts == SourceCounts(received=1, timeouts=1, disconnects=1, connects=1)
        assert health.reason == "the driver does not answer"
        until(lambda: camera.events.count("open") == 2)
        assert "close" not in camera.events  # it hangs still
        camera.steps.put(frame(2))
        assert taken(grabber) == 2
        hang.set()
        until(lambda: "close" in camera.events)
        assert grabber.take(0) is None  # what came too late is nobody's
        assert grabber.health().counts == SourceCounts(
            received=2, timeouts=1, disconnects=1, connects=2
        )


def test_there_are_never_more_than_two_threads_of_a_camera() -> None:
    camera, clock = Camera(), Clock()
    hangs = [threading.Event(), threading.Event()]
    patience = Patience(
        deadline_s=5, grace_s=1, first_wait_s=0.0, longest_wait_s=0.0, attempts_a_minute=100
    )
    before = set(threading.enumerate())
    with grabbing(camera, patience, clock) as grabber:
        for number, hang in enumerate(hangs):
            camera.steps.put(hang)
            until(camera.steps.empty)
            clock.now += 7
            assert grabber.health().counts.timeouts == number + 1
        for _ in range(5):
            clock.now += 7
            assert grabber.health().counts.timeouts == 2  # the second one is waited for
        assert len(set(threading.enumerate()) - before) == 2
        hangs[1].set()
        until(lambda: camera.events.count("open") == 3)
        camera.steps.put(frame(5))
        assert taken(grabber) == 5
        hangs[0].set()
        until(lambda: len(set(threading.enumerate()) - before) == 1)
    assert set(threading.enumerate()) <= before
    assert camera.events.count("open") == camera.events.count("close") == 3


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_bug_in_a_library_is_survived() -> None:
    camera = Camera()
    with grabbing(camera) as grabber:
        camera.steps.put(cv2.error("an assertion of OpenCV"))
        until(lambda: grabber.health().counts.disconnects == 1)
        assert "failed" in grabber.health().reason
        camera.steps.put(frame(3))
        assert taken(grabber) == 3


def test_nobody_waits_longer_than_asked() -> None:
    camera = Camera()
    with grabbing(camera) as grabber:
        start = time.monotonic()
        assert grabber.take(0.05) is None
        assert 0.05 <= time.monotonic() - start < LONG / 2


def test_nobody_waits_longer_than_asked_while_damaged_frames_come_faster_than_they_decode(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    camera = Camera()
    decoded: list[bytes] = []

    def refuse(data: bytes) -> None:
        decoded.append(data)
        assert len(decoded) < 5000, "it does not come back"
        camera.send(frame(len(decoded) % 256, encoded=True))  # the next is here by now
        raise DamagedError("damaged", damaged=1)

    monkeypatch.setattr("edgeclf.edge_runtime.live.sources.grabber.decode_jpeg", refuse)
    with grabbing(camera) as grabber:
        camera.send(frame(0, encoded=True))
        assert grabber.take(0.05) is None
        assert decoded
        assert grabber.health().counts.damaged == len(decoded)
        while grabber.health().state is not SourceState.STALE:
            assert grabber.take(0.01) is None
        assert grabber.health().reason == "nothing but damage: damaged"


def test_closing_wakes_up_a_read_and_ends_the_thread() -> None:
    camera = Camera()
    before = set(threading.enumerate())
    with grabbing(camera):
        until(lambda: "open" in camera.events)
    assert camera.events == ["open", "cancel", "close"]
    assert set(threading.enumerate()) <= before


def test_frames_of_another_size_are_no_frozen_picture() -> None:
    camera = Camera()
    with grabbing(camera) as grabber:
        camera.send(RawFrame(np.zeros((8, 8, 3), np.uint8), 0, 0))
        camera.send(RawFrame(np.zeros((16, 16, 3), np.uint8), 0, 0))
        camera.send(frame(1, encoded=True))
        assert taken(grabber) == 1
