"""A folder into which somebody puts photographs: each new one is a frame."""

import os
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ...errors import EdgeclfError
from ...images import ImageError, RGBImage, is_image, read_image
from ...text import printable
from ..observation import LiveFrame, SourceCounts, SourceHealth, SourceState
from ..rate import Rate

_POLL_S = 0.25
# A file that has not changed for so long is read; one that is damaged then may still be growing.
_SETTLED_S = 0.25
_GIVEN_UP_S = 5.0
# No photograph is larger, and what is read has to fit into a small device's memory.
_MOST_BYTES = 256 * 2**20

_Signature = tuple[int, int]


@dataclass
class _Growing:
    signature: _Signature
    since: float


class WatchedFolder:
    """The images that come into a folder, at any depth, after it was opened; none is skipped.

    A file is read when it has stopped to grow, and again when it is written anew. One that is
    larger than 256 MiB is skipped, with a warning.
    """

    def __init__(
        self,
        folder: Path,
        *,
        warn: Callable[[str], None],
        ignored: Sequence[Path] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin with what is in `folder` now as known.

        Args:
            folder: where images come.
            warn: what is called with a line of text about a file that is skipped.
            ignored: files and folders in it that we write ourselves.
            clock: seconds that pass.

        Raises:
            EdgeclfError: we write into `folder` itself.
        """
        # Links to folders are not followed: a path in it begins with the folder's own.
        inside = [os.path.relpath(os.path.realpath(path), folder.resolve()) for path in ignored]
        if os.curdir in inside:
            raise EdgeclfError(
                f"{folder}: this run would write its pictures there and classify them again; "
                "choose another folder for them"
            )
        self._folder = folder
        self._ignored = frozenset(os.path.join(folder, path) for path in inside)  # noqa: PTH118
        self._warn = warn
        self._clock = clock
        self._left_out: set[str] = set()
        self._known = self._scan()
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
            now = self._clock()
            if self._ready:
                frame = self._read(self._ready.popleft())
                if frame is not None or now >= deadline:
                    return frame
            elif now >= self._polled + _POLL_S:
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
        return SourceHealth(
            printable(str(self._folder)), state, self._since, self._reason, fps, counts
        )

    def close(self) -> None:
        """Do nothing: nothing is held open."""

    def _poll(self, now: float) -> None:
        reason = "" if self._folder.is_dir() else "the folder is gone"
        if reason != self._reason:
            self._reason, self._since = reason, now
        if reason:
            return  # should it come back, its files are still known
        found = self._scan()
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
            rgb = self._decode(name, growing.signature[0])
        except ImageError as error:
            if self._clock() - growing.since >= _GIVEN_UP_S:
                self._finish(name, growing)
                self._damaged += 1
                self._warn(printable(str(error)))
            return None
        self._finish(name, growing)
        self._rate.add(self._clock())
        self._received += 1
        bgr = np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), np.uint8)
        # A copy may keep the time of its original: what we saw is what counts.
        taken_at = time.time() - (self._clock() - growing.since)
        return LiveFrame(self._received - 1, bgr, growing.since, taken_at, printable(name))

    def _decode(self, name: str, size: int) -> RGBImage:
        if size > _MOST_BYTES:
            raise ImageError(name, f"{size} bytes; {_MOST_BYTES} are the most here", "large")
        try:
            return read_image(Path(name))
        except MemoryError:
            raise ImageError(name, "does not fit into the memory", "large") from None

    def _finish(self, name: str, growing: _Growing) -> None:
        self._known[name] = growing.signature
        del self._growing[name]

    def _scan(self) -> dict[str, _Signature]:
        """Return the images in the folder that are not hidden nor ours, with size and change."""
        found: dict[str, _Signature] = {}
        folders = [str(self._folder)]
        while folders:  # a folder may be deeper than Python's stack
            folders += sorted(self._scan_one(folders.pop(), found), reverse=True)
        return found

    def _scan_one(self, folder: str, found: dict[str, _Signature]) -> list[str]:
        """Add the images of one folder to `found`, and return the folders in it."""
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except FileNotFoundError:
            return []  # it was taken away meanwhile
        except OSError as error:  # no right to read it, or so deep that its name is too long
            if folder not in self._left_out:
                self._left_out.add(folder)
                self._warn(f"{printable(folder)}: left out ({error.strerror})")
            return []
        inner = []
        for entry in entries:
            if entry.name.startswith(".") or entry.path in self._ignored:
                continue
            try:
                if entry.is_dir(follow_symlinks=False):
                    inner.append(entry.path)
                elif is_image(Path(entry.name)) and entry.is_file():
                    status = entry.stat()
                    found[entry.path] = (status.st_size, status.st_mtime_ns)
            except OSError:
                continue
        return inner
