"""How long a trimmed MP4 or MOV plays: cameras and phones cut by an edit list, not by removing."""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_LARGEST_INDEX = 64 << 20
_WITHIN = (b"trak", b"edts", b"mdia")


def played_seconds(path: Path) -> float | None:
    """Return how many seconds of the picture the file's edit list plays (ISO/IEC 14496-12, 8.6.6).

    Returns:
        None where it has no edit list, or is no such file.
    """
    try:
        with path.open("rb") as file:
            index = _index(file)
        return None if index is None else _played(index)
    except (OSError, struct.error, ZeroDivisionError):
        return None


def _index(file: BinaryIO) -> bytes | None:
    """Return the content of the box `moov`, which may lie behind all pictures."""
    while len(head := file.read(8)) == 8:
        size, kind = struct.unpack(">I4s", head)
        left = size - 8
        if size == 1:
            left = struct.unpack(">Q", file.read(8))[0] - 16
        if kind == b"moov":
            return file.read(left) if 0 <= left <= _LARGEST_INDEX else None
        if left < 0:
            return None
        file.seek(left, 1)
    return None


def _played(index: bytes) -> float | None:
    scale = next((_timescale(box) for kind, box in _boxes(index) if kind == b"mvhd"), 0)
    for kind, track in _boxes(index):
        if kind != b"trak":
            continue
        parts = dict(_flat(track))
        if parts.get(b"hdlr", b"")[8:12] == b"vide" and b"elst" in parts:
            return sum(_durations(parts[b"elst"])) / scale
    return None


def _flat(box: bytes) -> Iterator[tuple[bytes, bytes]]:
    for kind, content in _boxes(box):
        if kind in _WITHIN:
            yield from _flat(content)
        else:
            yield kind, content


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        if size < 8:
            return
        yield kind, data[at + 8 : at + size]
        at += size


def _timescale(header: bytes) -> int:
    return int(struct.unpack_from(">I", header, 20 if header[0] == 1 else 12)[0])


def _durations(edits: bytes) -> Iterator[int]:
    """Yield the length of each edit that shows something: an empty one starts at -1."""
    (count,) = struct.unpack_from(">I", edits, 4)
    form, size = (">Qq", 20) if edits[0] == 1 else (">Ii", 12)
    for at in range(8, 8 + count * size, size):
        duration, start = struct.unpack_from(form, edits, at)
        if start >= 0:
            yield duration
