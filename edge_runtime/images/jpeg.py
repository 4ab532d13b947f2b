"""JPEG: which files and frames of a camera are damaged.

JPEG has no checksum. What can be noticed is a file whose parts do not follow one another (a cut, a
hole in the header), a hole filled with zeros, and data after which libjpeg's decoder stands at
another place than the file. It only prints the latter, as a warning, and returns a picture.
"""

import re

from .damage import CUT_SHORT, DamageError

_SOI, _EOI = b"\xff\xd8", b"\xff\xd9"
_FRAMES = frozenset({0xC0, 0xC1, 0xC2})  # baseline, extended, progressive: what libjpeg decodes
_PROGRESSIVE, _HUFFMAN, _SCAN, _END = 0xC2, 0xC4, 0xDA, 0xD9

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

# More scans than any program writes only cost time: each goes through the whole picture.
_MOST_SCANS = 100


def find_damage(data: bytes | bytearray) -> str | None:
    """Return what is wrong with the order of a JPEG's parts, or None; costs no decoding.

    Bytes behind the end are none of its business: cameras pad.
    """
    try:
        check_jpeg(data)
    except DamageError as damage:
        return str(damage)
    return None


def check_jpeg(data: bytes | bytearray) -> bool:
    """Return whether it is progressive, which takes more memory to decode.

    Raises:
        DamageError: its parts do not follow one another.
    """
    if data[:2] != _SOI:
        raise DamageError("no JPEG")
    at, scans, standard_tables, frame = 2, 0, True, 0
    while True:
        marker, at = _marker(data, at)
        if marker == _END and frame:
            return frame == _PROGRESSIVE
        segment = _segment(data, at)
        at += 2 + len(segment)
        if marker in _FRAMES:
            if frame:
                raise DamageError("two pictures in one")
            frame = marker
        elif marker == _HUFFMAN:
            standard_tables = standard_tables and _are_annex_k(segment)
        elif marker == _SCAN:
            scans += 1
            if scans > _MOST_SCANS:
                raise DamageError(f"more than {_MOST_SCANS} scans")
            start, at = at, _end_of_scan(data, at)
            if standard_tables and data.find(_HOLE, start, at) >= 0:
                raise DamageError("a hole of zeros in the picture")


def _marker(data: bytes | bytearray, at: int) -> tuple[int, int]:
    """Return the marker at `at`, and where it ends; bytes of 0xFF may fill the space before it."""
    start = at
    while data[at : at + 1] == b"\xff":
        at += 1
    if at >= len(data):
        raise DamageError(CUT_SHORT)
    if at == start:
        raise DamageError("bytes that belong to no part")
    return data[at], at + 1


def _segment(data: bytes | bytearray, at: int) -> bytes:
    """Return what stands in the segment whose length is at `at`."""
    length = int.from_bytes(data[at : at + 2], "big")
    segment = bytes(data[at + 2 : at + length])
    if length < 2 or len(segment) < length - 2:
        raise DamageError(CUT_SHORT)
    return segment


def _end_of_scan(data: bytes | bytearray, at: int) -> int:
    """Return where the entropy-coded data that begin at `at` end: at the next marker."""
    end = data.find(_EOI, at)
    if end >= 0 and data.count(b"\xff", at, end) == data.count(b"\xff\x00", at, end):
        return end  # the usual frame, three times as fast: each 0xFF is a stuffed one
    found = _NEXT_MARKER.search(data, at)
    if found is None:
        raise DamageError(CUT_SHORT)
    return found.start()


def _are_annex_k(tables: bytes) -> bool:
    at = 0
    while at + 17 <= len(tables):
        lengths = tables[at + 1 : at + 17]
        if lengths not in _ANNEX_K_LENGTHS:
            return False
        at += 17 + sum(lengths)
    return at == len(tables)
