"""A sink on a thread of its own: a slow or dead one never slows the camera."""

import os
import sys
import threading
import time
import traceback
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Generic, TypeVar

from ...errors import EdgeclfError
from ..observation import Event, Observation, Sink, SourceHealth

Warn = Callable[[str], None]
Item = TypeVar("Item")

_TELL_EVERY_S = 60.0
_NICER_BY = 5  # a third of the processor time of a thread that competes with it


class Outlet(ABC, Generic[Item]):
    """What a `QueuedSink` writes to.

    What `pick…` returns waits in the queue; they run in the camera's loop and return at once.
    `write` and `close` run on the sink's thread and may block; what they raise is reported.

    Attributes:
        name: what warnings call it.
    """

    name: str

    def pick(self, observation: Observation) -> Item | None:  # noqa: ARG002
        """Return what is to be written of a classified frame; None for nothing."""
        return None

    def pick_event(self, event: Event, observation: Observation) -> Item | None:  # noqa: ARG002
        """Return what is to be written of a change of the steady label; None for nothing."""
        return None

    def pick_health(self, health: SourceHealth) -> Item | None:  # noqa: ARG002
        """Return what is to be written of the camera's state; None for nothing."""
        return None

    @abstractmethod
    def write(self, item: Item) -> None:
        """Write an item, whole or not at all."""

    def close(self) -> None:
        """Let go."""


class QueuedSink(Generic[Item]):
    """A `Sink` that queues what its outlet picks and writes it on its own thread.

    When the queue is full, the oldest frame in it is dropped; events and states only if there is no
    frame to drop. What is dropped, or cannot be written, is counted and reported at once, then each
    minute, and at the end.

    Attributes:
        name: the outlet's.
        written: items that were written.
        dropped: items that the full queue had no room for.
        lost: items that could not be written.
    """

    def __init__(
        self,
        outlet: Outlet[Item],
        *,
        bound: int,
        warn: Warn,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start a thread that writes to `outlet`, with at most `bound` items that wait."""
        self.name = outlet.name
        self.written = self.dropped = self.lost = 0
        self._outlet = outlet
        self._bound = bound
        self._warn = warn
        self._clock = clock
        self._queue: deque[tuple[Item, bool]] = deque()
        self._changed = threading.Condition()
        self._closing = False
        self._dropped_reported, self._drop_tell_at = 0, clock()
        self._lost_reported, self._failure_tell_at = 0, clock()
        self._failing = False
        self._thread = threading.Thread(target=self._run, name=f"sink {self.name}", daemon=True)
        self._thread.start()

    def observe(self, observation: Observation) -> None:
        """Queue a classified frame."""
        self._put(self._outlet.pick(observation), keep=False)

    def report_event(self, event: Event, observation: Observation) -> None:
        """Queue a change of the steady label."""
        self._put(self._outlet.pick_event(event, observation), keep=True)

    def report_health(self, health: SourceHealth) -> None:
        """Queue the camera's state."""
        self._put(self._outlet.pick_health(health), keep=True)

    def close(self, within_s: float = 1.0) -> None:
        """Write what waits and let go, or give up after `within_s`."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(within_s)
        if self._thread.is_alive():
            with self._changed:
                self.lost += len(self._queue)
                self._queue.clear()
            self._warn(f"{self.name}: not done within {within_s:g} s, and left behind")
        if self.lost > self._lost_reported:
            self._warn(f"{self.name}: {self.lost - self._lost_reported} lost, {self.lost} in all")
            self._lost_reported = self.lost
        self._tell_drops(at_last=True)

    def _put(self, item: Item | None, *, keep: bool) -> None:
        if item is None:
            return
        with self._changed:
            if self._closing:
                return
            if len(self._queue) < self._bound or self._make_room(keep=keep):
                self._queue.append((item, keep))
                self._changed.notify()
        if self.dropped > self._dropped_reported:
            self._tell_drops()

    def _make_room(self, *, keep: bool) -> bool:
        self.dropped += 1
        oldest = next((at for at, (_, is_vital) in enumerate(self._queue) if not is_vital), None)
        if oldest is None and not keep:
            return False
        del self._queue[oldest or 0]
        return True

    def _tell_drops(self, *, at_last: bool = False) -> None:
        new, now = self.dropped - self._dropped_reported, self._clock()
        if new and (at_last or now >= self._drop_tell_at):
            self._dropped_reported, self._drop_tell_at = self.dropped, now + _TELL_EVERY_S
            self._warn(f"{self.name}: too slow: {new} dropped, {self.dropped} in all")

    # On the sink's thread.

    def _run(self) -> None:
        _step_back()
        while True:
            with self._changed:
                while not (self._queue or self._closing):
                    self._changed.wait()
                if not self._queue:
                    break
                item, _ = self._queue.popleft()
            try:
                self._outlet.write(item)
            except Exception as error:  # noqa: BLE001, reported; the thread goes on with the next
                self._failed(error)
            else:
                self._succeeded()
            del item  # a picture, perhaps, that would stay until the next comes
        try:
            self._outlet.close()
        except Exception as error:  # noqa: BLE001, reported
            self._warn(f"{self.name}: {_reason(error)} at its end")

    def _failed(self, error: Exception) -> None:
        self.lost += 1
        if not self._failing and self._clock() >= self._failure_tell_at:
            self._failing = True
            self._failure_tell_at = self._clock() + _TELL_EVERY_S
            self._warn(
                f"{self.name}: {_reason(error)}; goes on when it can, what comes until then is lost"
            )

    def _succeeded(self) -> None:
        self.written += 1
        if self._failing:
            self._failing = False
            lost = self.lost - self._lost_reported
            self._warn(f"{self.name}: writes again; {lost} lost meanwhile")
            self._lost_reported = self.lost


def _step_back() -> None:
    """Let the camera's loop go first where processors are short; only Linux can for a thread.

    A thread that has waited is otherwise put before the one that woke it, which is the camera's.
    """
    if sys.platform == "linux":
        thread = threading.get_native_id()
        with suppress(OSError):  # a sandbox may forbid it
            nice = os.getpriority(os.PRIO_PROCESS, thread)
            os.setpriority(os.PRIO_PROCESS, thread, nice + _NICER_BY)


def close_sinks(sinks: Sequence[Sink], *, within_s: float = 1.5) -> None:
    """Close `sinks` side by side, so that together they take no longer than the slowest.

    What goes wrong in one keeps none of the others open; it is raised in the end.
    """
    errors: list[BaseException] = []

    def close(sink: Sink) -> None:
        try:
            sink.close()
        except BaseException as error:  # noqa: BLE001
            errors.append(error)

    threads = [threading.Thread(target=close, args=(sink,), daemon=True) for sink in sinks]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + within_s
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    if errors:
        raise errors[0]


def _reason(error: Exception) -> str:
    """Return the system's own words, or a bug by its type and place: its text may hold anything."""
    if isinstance(error, EdgeclfError):
        return str(error)
    if isinstance(error, OSError):
        return error.strerror or str(error) or type(error).__name__
    at = traceback.extract_tb(error.__traceback__)[-1]
    return f"a bug ({type(error).__name__} in {Path(at.filename).name}, line {at.lineno})"
