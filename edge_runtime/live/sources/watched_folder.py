"""A folder into which somebody puts photographs: each new one is a frame."""

import os
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ...images import ImageError, is_image, read_image
from ..observation import LiveFrame, SourceCounts, SourceHealth, SourceState
from ..rate import Rate

_POLL_S = 0.25
# A file that has not changed for so long is read; one that is damaged then may still be growing.
_SETTLED_S = 0.25
_GIVEN_UP_S = 5.0

_Signature = tuple[int, int]


@dataclass
class _Growing:
    signature: _Signature
    since: float


class WatchedFolder:
    """The images that come into a folder, at any depth, after it was opened; none is skipped.

    A file is read when it has stopped to grow, and again when it is written anew.
    """

    def __init__(
        self,
        folder: Path,
        *,
        warn: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin with what is in `folder` now as known; `warn` is told of damaged files."""
        self._folder = folder
        self._warn = warn
        self._clock = clock
        self._known = dict(_images(folder))
        self._growing: dict[str, _Growing] = {}
        self._ready: deque[str] = deque()
        self._polled = clock()
        self._received = self._damaged = 0
        self._since = self._polled
        self._reason = ""
        self._rate = Rate()

    ended = False

    def take(self, timeout_s: float) -> LiveFrame | None:
        """Return the next new image; None if none comes in `timeout_s`."""
        deadline = self._clock() + timeout_s
        while True:
            while self._ready:
                frame = self._read(self._ready.popleft())
                if frame is not None:
                    return frame
            now = self._clock()
            if now >= self._polled + _POLL_S:
                self._polled = now
                self._poll(now)
            elif now >= deadline:
                return None
            else:
                time.sleep(max(0.0, min(deadline, self._polled + _POLL_S) - now))

    def health(self) -> SourceHealth:
        """Return whether the folder is there."""
        state = SourceState.DEAD if self._reason else SourceState.LIVE
        counts = SourceCounts(received=self._received, damaged=self._damaged, connects=1)
        fps = self._rate.per_second(self._clock())
        return SourceHealth(str(self._folder), state, self._since, self._reason, fps, counts)

    def close(self) -> None:
        """Do nothing: nothing is held open."""

    def _poll(self, now: float) -> None:
        reason = "" if self._folder.is_dir() else "the folder is gone"
        if reason != self._reason:
            self._reason, self._since = reason, now
        if reason:
            return  # should it come back, its files are still known
        found = dict(_images(self._folder))
        self._known = {name: self._known[name] for name in found if name in self._known}
        self._growing = {name: self._growing[name] for name in found if name in self._growing}
        for name, signature in found.items():
            if self._known.get(name) == signature:
                continue
            growing = self._growing.get(name)
            if growing is None or growing.signature != signature:
                self._growing[name] = _Growing(signature, now)
            elif now - growing.since >= _SETTLED_S:
                self._ready.append(name)

    def _read(self, name: str) -> LiveFrame | None:
        growing = self._growing[name]
        try:
            rgb = read_image(Path(name))
        except ImageError as error:
            if self._clock() - growing.since >= _GIVEN_UP_S:
                self._finish(name, growing)
                self._damaged += 1
                self._warn(str(error))
            return None
        self._finish(name, growing)
        self._rate.add(self._clock())
        self._received += 1
        bgr = np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), np.uint8)
        # A copy may keep the time of its original: what we saw is what counts.
        taken_at = time.time() - (self._clock() - growing.since)
        return LiveFrame(self._received - 1, bgr, growing.since, taken_at, name)

    def _finish(self, name: str, growing: _Growing) -> None:
        self._known[name] = growing.signature
        del self._growing[name]


def _images(folder: Path) -> Iterator[tuple[str, _Signature]]:
    """Yield the images below `folder` that are not hidden, with size and time of change."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return  # it was taken away meanwhile
    for entry in entries:
        if entry.name.startswith("."):
            continue
        try:
            if entry.is_dir(follow_symlinks=False):
                yield from _images(Path(entry.path))
            elif is_image(Path(entry.name)) and entry.is_file():
                status = entry.stat()
                yield entry.path, (status.st_size, status.st_mtime_ns)
        except OSError:
            continue
