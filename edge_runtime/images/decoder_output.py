"""What the decoders write to descriptor 2: of some damage that is all they say.

libjpeg and libtiff return a picture and print a line. Several threads decode at once, into the same
file; only where something came is the image decoded again, alone.
"""

import os
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import cv2

from ..quiet import copy_of_stderr, unnamed_file

_WARNINGS = ("Corrupt JPEG", "Premature end of JPEG", "Inconsistent progression", "Invalid SOS")
# Common USB cameras (Logitech's) put some bytes of padding before a restart marker, every few
# frames; their pictures are whole.
_HARMLESS = re.compile(r"Corrupt JPEG data: 1?\d extraneous bytes before marker 0xd[0-7]")
# OpenCV's log of what libtiff says, and of errors that it returns as well.
_TIFF = re.compile(r"\[ ?(?:ERROR|WARN).*?TIFF_(?:Error|Warning) *(.*)")
_LOG = re.compile(r"\[ ?(?:ERROR|WARN|FATAL)|> |where$|libpng |Warning: unknown JFIF|Unknown Adobe")

_Result = TypeVar("_Result")


class _Output:
    """Descriptor 2, which leads to a file without a name while anybody decodes."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._users = self._waiting = 0
        self._alone = False
        self._file = self._original = -1
        self._passed_on = 0

    @contextmanager
    def shared(self) -> Iterator[Callable[[], bool]]:
        """Decode beside others; yields what tells whether any of them has written something."""
        with self._changed:
            self._changed.wait_for(lambda: not self._alone and not self._waiting)
            start = self._begin()
        try:
            yield lambda: self._size() > start
        finally:
            with self._changed:
                self._end()

    @contextmanager
    def alone(self) -> Iterator[list[str]]:
        """Decode while nobody else does; yields a list that holds the complaints afterwards."""
        found: list[str] = []
        with self._changed:
            self._waiting += 1
            try:
                self._changed.wait_for(lambda: not self._alone and not self._users)
                self._begin()
                self._alone = True
            finally:
                self._waiting -= 1
                self._changed.notify_all()
        try:
            yield found
        finally:
            with self._changed:
                self._alone = False
                found += self._end()

    def _begin(self) -> int:
        if not self._users:
            if self._file < 0:
                self._file = unnamed_file()
            self._original = copy_of_stderr()
            os.dup2(self._file, 2)
        self._users += 1
        return self._size()

    def _end(self) -> list[str]:
        self._users -= 1
        size = self._size()
        written = os.pread(self._file, size - self._passed_on, self._passed_on)
        self._passed_on = size
        found = _sort(written, self._original)
        if not self._users:
            os.dup2(self._original, 2)
            os.close(self._original)
            if size:
                os.ftruncate(self._file, 0)
                os.lseek(self._file, 0, os.SEEK_SET)
                self._passed_on = 0
            self._changed.notify_all()
        return found

    def _size(self) -> int:
        return os.fstat(self._file).st_size


def _sort(written: bytes, descriptor: int) -> list[str]:
    """Return the complaints of decoders in `written`; what is of others goes to `descriptor`."""
    found: list[str] = []
    in_log = False
    for line in written.splitlines(keepends=True):
        text = line.decode(errors="replace").strip()
        tiff = _TIFF.match(text)
        if tiff:
            found.append(tiff[1])
        elif text.startswith(_WARNINGS):
            if not _HARMLESS.match(text):
                found.append(text)
        elif not _LOG.match(text) and (text or not in_log):
            os.write(descriptor, line)
        in_log = bool(tiff or _LOG.match(text)) or (in_log and not text)
    return found


_OUTPUT = _Output()
_LOGGING = getattr(cv2.utils, "logging", None)  # OpenCV 4.11 has none


@contextmanager
def decoder_warnings() -> Iterator[list[str]]:
    """Collect what the decoders complain of while the block runs, without the harmless.

    What others write there meanwhile is passed on. One block at a time, on any thread.

    Yields a list that holds the complaints once the block is over.
    """
    with _OUTPUT.alone() as found:
        yield found


def decode_watched(decode: Callable[[], _Result], *, log: bool) -> tuple[_Result, list[str]]:
    """Return what `decode` returns, and what the decoder complained of meanwhile.

    Args:
        decode: decodes an image; called a second time where a thread beside it was complained of.
        log: whether the decoder complains in OpenCV's log, which is silent otherwise.
    """
    if log:
        with _OUTPUT.alone() as found, _log_of_errors():
            result = decode()
        return result, found
    with _OUTPUT.shared() as written:
        result = decode()
        is_clean = not written()
    if is_clean:
        return result, []
    with _OUTPUT.alone() as found:
        result = decode()
    return result, found


@contextmanager
def _log_of_errors() -> Iterator[None]:
    if _LOGGING is None:
        yield
        return
    before = _LOGGING.setLogLevel(_LOGGING.LOG_LEVEL_ERROR)
    try:
        yield
    finally:
        _LOGGING.setLogLevel(before)
