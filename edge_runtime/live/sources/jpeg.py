"""JPEG frames of a camera: whole ones become pixels, damaged ones are noticed.

JPEG has no checksum. What can be noticed is a file whose parts do not follow one another (a cut, a
hole in the header), a hole filled with zeros, and data after which libjpeg's decoder stands at
another place than the file. It only prints the latter, as a warning, and returns a picture.
"""

import os
import re
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache

import cv2
import numpy as np

from .capture import BGRImage, DamagedError

_SOI, _EOI = b"\xff\xd8", b"\xff\xd9"
_FRAMES = frozenset({0xC0, 0xC1, 0xC2})  # baseline, extended, progressive: what libjpeg decodes
_HUFFMAN, _SCAN, _END = 0xC4, 0xDA, 0xD9

# In entropy-coded data: a marker that is neither a stuffed zero nor a restart (T.81, B.1.1.5).
_NEXT_MARKER = re.compile(rb"\xff+[\x01-\xcf\xd8-\xfe]")

# With the tables of T.81, annex K, zeros stand for a luminance block of 63 coefficients of -1: no
# photograph holds that, but a buffer whose filling was lost does.
_HOLE = bytes(16)
_ANNEX_K_LENGTHS = frozenset(
    bytes.fromhex(lengths)
    for lengths in (
        "00010501010101010100000000000000",
        "00030101010101010101010000000000",
        "0002010303020403050504040000017d",
        "00020102040403040705040400010277",
    )
)

# Common USB cameras (Logitech's) put some bytes of padding before a restart marker, every few
# frames; their pictures are whole.
_HARMLESS = re.compile(r"Corrupt JPEG data: 1?\d extraneous bytes before marker 0xd[0-7]")
_WARNINGS = ("Corrupt JPEG", "Premature end of JPEG", "Inconsistent progression", "Invalid SOS")

_LOCK = threading.Lock()


def find_damage(data: bytes | bytearray) -> str | None:
    """Return what is wrong with the order of a JPEG's parts, or None; costs no decoding.

    Bytes behind the end are none of its business: cameras pad.
    """
    try:
        _check_parts(data)
    except _DamageError as damage:
        return str(damage)
    return None


class _DamageError(Exception):
    pass


def _check_parts(data: bytes | bytearray) -> None:
    if data[:2] != _SOI:
        raise _DamageError("no JPEG")
    at, picture_announced, standard_tables = 2, False, True
    while True:
        marker, at = _marker(data, at)
        if marker == _END and picture_announced:
            return
        segment = _segment(data, at)
        at += 2 + len(segment)
        if marker in _FRAMES:
            picture_announced = True
        elif marker == _HUFFMAN:
            standard_tables = standard_tables and _are_annex_k(segment)
        elif marker == _SCAN:
            start, at = at, _end_of_scan(data, at)
            if standard_tables and data.find(_HOLE, start, at) >= 0:
                raise _DamageError("a hole of zeros in the picture")


def _marker(data: bytes | bytearray, at: int) -> tuple[int, int]:
    """Return the marker at `at`, and where it ends; bytes of 0xFF may fill the space before it."""
    start = at
    while data[at : at + 1] == b"\xff":
        at += 1
    if at >= len(data):
        raise _DamageError("cut short")
    if at == start:
        raise _DamageError("bytes that belong to no part")
    return data[at], at + 1


def _segment(data: bytes | bytearray, at: int) -> bytes:
    """Return what stands in the segment whose length is at `at`."""
    length = int.from_bytes(data[at : at + 2], "big")
    segment = bytes(data[at + 2 : at + length])
    if length < 2 or len(segment) < length - 2:
        raise _DamageError("cut short")
    return segment


def _end_of_scan(data: bytes | bytearray, at: int) -> int:
    """Return where the entropy-coded data that begin at `at` end: at the next marker."""
    end = data.find(_EOI, at)
    if end >= 0 and data.count(b"\xff", at, end) == data.count(b"\xff\x00", at, end):
        return end  # the usual frame, three times as fast: each 0xFF is a stuffed one
    found = _NEXT_MARKER.search(data, at)
    if found is None:
        raise _DamageError("cut short")
    return found.start()


def _are_annex_k(tables: bytes) -> bool:
    at = 0
    while at + 17 <= len(tables):
        lengths = tables[at + 1 : at + 17]
        if lengths not in _ANNEX_K_LENGTHS:
            return False
        at += 17 + sum(lengths)
    return at == len(tables)


def decode_jpeg(data: bytes) -> BGRImage:
    """Return the pixels, BGR uint8 of shape (height, width, 3).

    Raises:
        DamagedError: it cannot be decoded, or libjpeg stumbled on the way.
    """
    bgr = None
    with decoder_warnings() as warnings, suppress(cv2.error):  # more pixels than OpenCV takes
        bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if bgr is None:
        raise DamagedError("a frame that cannot be decoded", damaged=1)
    if warnings:
        raise DamagedError(f"a damaged frame ({warnings[0]})", damaged=1)
    return np.asarray(bgr, np.uint8)


@contextmanager
def decoder_warnings() -> Iterator[list[str]]:
    """Collect the warnings that libjpeg writes to descriptor 2 while the block runs.

    What others write there meanwhile is passed on. One block at a time, whatever the thread.

    Yields a list that holds the warnings once the block is over, without the harmless ones.
    """
    warnings: list[str] = []
    with _LOCK:
        aside, original = _aside(), os.dup(2)
        os.dup2(aside, 2)
        try:
            yield warnings
        finally:
            os.dup2(original, 2)
            os.close(original)
            written = os.pread(aside, os.fstat(aside).st_size, 0)
            if written:
                os.ftruncate(aside, 0)
                os.lseek(aside, 0, os.SEEK_SET)
    for line in written.splitlines(keepends=True):
        text = line.decode(errors="replace").strip()
        if not text.startswith(_WARNINGS):
            os.write(2, line)
        elif not _HARMLESS.match(text):
            warnings.append(text)


@cache
def _aside() -> int:
    """Return the descriptor of a file without a name, in memory where the system can."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("decoder warnings")
    return os.dup(tempfile.TemporaryFile().fileno())
