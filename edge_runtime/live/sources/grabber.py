"""The newest frame of a camera, however the camera behaves."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

import numpy as np

from ..observation import LiveFrame, SourceHealth
from .back_off import BackOff
from .capture import (
    BGRImage,
    Capture,
    CaptureError,
    DamagedError,
    LateError,
    LostError,
    RawFrame,
    RefusedError,
)
from .health import HealthTracker, Patience
from .jpeg import decode_jpeg

_Result = TypeVar("_Result")

_WAKE_S = 0.1  # how often a waiting thread looks at the clock
_SAMPLED_ROWS = 16


class Grabber:
    """Reads a camera on a thread of its own and keeps its newest frame, in one slot.

    A call into a library that hangs is noticed by whoever asks for a frame or for the health: its
    thread is abandoned and another one started. It lets go of the camera should it ever return;
    until then a second one that hangs is waited for, so that there are never more than two.
    """

    def __init__(
        self,
        connect: Callable[[], Capture],
        *,
        name: str,
        patience: Patience | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start to read what `connect` makes for each connection; `name` is the camera's."""
        self._connect = connect
        self._name = name
        self._patience = patience = patience or Patience()
        self._clock = clock
        self._health = HealthTracker(name, patience, clock())
        self._back_off = BackOff(
            first_s=patience.first_wait_s,
            longest_s=patience.longest_wait_s,
            attempts_a_minute=patience.attempts_a_minute,
        )
        self._changed = threading.Condition()
        self._slot: RawFrame | None = None
        self._last: RawFrame | None = None
        self._closed = False
        self._retry_at = clock()
        self._busy_until: float | None = None
        self._capture: Capture | None = None
        self._abandoned: threading.Thread | None = None
        self._thread = self._start()

    @property
    def ended(self) -> bool:
        """Whether the source is over, and its last frame taken."""
        with self._changed:
            return self._health.ended and self._slot is None

    def take(self, timeout_s: float) -> LiveFrame | None:
        """Return the newest frame that was not taken yet; None if none comes in `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        while True:
            raw = self._wait_for_frame(deadline)
            if raw is None:
                return None
            pixels, start, decode_ms = raw.pixels, time.perf_counter(), 0.0
            try:
                if isinstance(pixels, bytes):
                    pixels = decode_jpeg(pixels)
                    decode_ms = (time.perf_counter() - start) * 1000
            except DamagedError as error:
                with self._changed:
                    self._health.undecodable(error, self._clock())
                if time.monotonic() >= deadline:
                    return None  # damaged frames may come faster than they are decoded
                continue
            with self._changed:
                number = self._health.decoded()
            return LiveFrame(number, pixels, raw.arrived, raw.taken_at, self._name, decode_ms)

    def health(self) -> SourceHealth:
        """Return how the camera is now."""
        with self._changed:
            now = self._clock()
            self._watch_over(now)
            return self._health.health(now)

    def close(self, timeout_s: float = 1.0) -> None:
        """Let go of the camera; a thread that hangs in a library does so when it returns."""
        with self._changed:
            self._closed = True
            if self._slot is not None:
                self._slot = None
                self._health.count(received=1)
            capture = self._capture
            self._changed.notify_all()
        if capture is not None:
            capture.cancel()
        self._thread.join(timeout_s)

    # On the caller's thread.

    def _wait_for_frame(self, deadline: float) -> RawFrame | None:
        with self._changed:
            while True:
                self._watch_over(self._clock())
                if self._slot is not None:
                    raw, self._slot = self._slot, None
                    return raw
                left = deadline - time.monotonic()
                if left <= 0 or self._health.ended or self._closed:
                    return None
                self._changed.wait(min(left, _WAKE_S))

    def _watch_over(self, now: float) -> None:
        """Give up on a call that hangs; replace a thread that a bug has ended."""
        if self._closed:
            return
        if self._busy_until is not None and now > self._busy_until:
            self._busy_until = None
            self._lose(LateError("the driver does not answer"), now)
            if self._abandoned is None or not self._abandoned.is_alive():
                self._abandoned, self._capture = self._thread, None
                self._thread = self._start()
        if not (self._thread.is_alive() or self._health.ended):
            self._busy_until = self._capture = None
            self._lose(LostError("the thread that reads the camera has failed"), now)
            self._thread = self._start()

    def _start(self) -> threading.Thread:
        self._thread = threading.Thread(target=self._run, name="edgeclf camera", daemon=True)
        self._thread.start()
        return self._thread

    # On the camera's thread.

    def _run(self) -> None:
        while self._wait_for_turn():
            capture = self._connect()
            try:
                self._read_on(capture)
            except CaptureError as error:
                with self._changed:
                    if self._is_mine() and not isinstance(error, _GivenUpError):
                        self._lose(error, self._clock())
            finally:
                with self._changed:
                    if self._capture is capture:
                        self._capture = None
                capture.close()

    def _wait_for_turn(self) -> bool:
        with self._changed:
            while self._is_mine() and not self._health.ended:
                now = self._clock()
                if now >= self._retry_at:
                    self._back_off.attempted(now)
                    return True
                self._changed.wait(_WAKE_S)
            return False

    def _read_on(self, capture: Capture) -> None:
        with self._changed:
            if self._is_mine():
                self._capture = capture
        self._call(capture.open)
        with self._changed:
            self._health.connected(self._clock())
        while self._is_mine():
            try:
                raw = self._call(capture.read)
            except DamagedError as error:
                with self._changed:
                    self._health.damaged(error)
            else:
                self._store(raw)

    def _call(self, call: Callable[[float], _Result]) -> _Result:
        """Call the library; what it does after it was given up does not count any more."""
        deadline = self._clock() + self._patience.deadline_s
        with self._changed:
            if self._is_mine():
                self._busy_until = deadline + self._patience.grace_s
        try:
            result = call(deadline)
        except CaptureError:
            self._came_back()
            raise
        self._came_back()
        return result

    def _came_back(self) -> None:
        with self._changed:
            if not self._is_mine() or self._busy_until is None:
                raise _GivenUpError("given up")
            self._busy_until = None

    def _store(self, raw: RawFrame) -> None:
        same = self._last is not None and _is_same(raw.pixels, self._last.pixels)
        with self._changed:
            if not self._is_mine():
                return
            self._last = raw
            now = self._clock()
            if self._health.is_frozen(same=same, now=now):
                if self._health.frozen_too_long(now):
                    raise LostError("the picture was frozen")
                return
            self._health.good(now)
            self._back_off.succeeded()
            if self._slot is not None:
                self._health.count(received=1, replaced=1)
            self._slot = raw
            self._changed.notify_all()

    def _is_mine(self) -> bool:
        return not self._closed and self._thread is threading.current_thread()

    def _lose(self, error: CaptureError, now: float) -> None:
        self._health.lost(error, now)
        self._retry_at = self._back_off.next_attempt(now)
        if isinstance(error, RefusedError):
            self._retry_at = max(self._retry_at, now + self._patience.longest_wait_s)
        self._changed.notify_all()


class _GivenUpError(CaptureError):
    """A call came back after it had been given up and counted."""


def _is_same(pixels: bytes | BGRImage, before: bytes | BGRImage) -> bool:
    """Tell whether two frames are the same to the last bit; two that differ are found at once."""
    if isinstance(pixels, bytes) or isinstance(before, bytes):
        return isinstance(pixels, bytes) and isinstance(before, bytes) and pixels == before
    step = max(1, len(pixels) // _SAMPLED_ROWS)
    return np.array_equal(pixels[::step], before[::step]) and np.array_equal(pixels, before)
