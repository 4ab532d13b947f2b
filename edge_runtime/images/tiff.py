"""TIFF: where its parts lie, and how large they must be (TIFF 6.0; BigTIFF)."""

import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .damage import CUT_SHORT, DamageError

_TYPES = {1: "B", 3: "H", 4: "I", 16: "Q"}
_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _OFFSETS, _SAMPLES = 256, 257, 258, 259, 273, 277
_ROWS, _COUNTS, _PLANAR, _TILE_WIDTH, _TILE_HEIGHT, _TILE_OFFSETS, _TILE_COUNTS, _EXTRA = (
    *(278, 279, 284, 322, 323, 324, 325, 338),
)
_READ = {
    *(_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _OFFSETS, _SAMPLES, _ROWS, _COUNTS, _PLANAR),
    *(_TILE_WIDTH, _TILE_HEIGHT, _TILE_OFFSETS, _TILE_COUNTS, _EXTRA),
}
_BIT_DEPTHS = {1, 2, 4, 8, 16, 32, 64}
_UNCOMPRESSED, _DEFLATE = 1, {8, 32946}
_MOST_SAMPLES = 4
_INFLATED_BYTES = 1 << 20

Directory = dict[int, tuple[int, ...]]


@dataclass(frozen=True)
class TiffParts:
    """What a whole TIFF file holds.

    Attributes:
        sample_bytes: of a pixel's sample, at least 1.
        alpha: whether pixels may be transparent.
    """

    sample_bytes: int
    alpha: bool


def read_directory(data: bytes) -> Directory:
    """Return the values of the first picture's tags that matter here.

    Raises:
        struct.error: they do not lie in the file.
    """
    order = "<" if data[:2] == b"II" else ">"
    big = data[2:4] in {b"+\0", b"\0+"}
    (at,) = struct.unpack_from(order + ("Q" if big else "I"), data, 8 if big else 4)
    (entries,) = struct.unpack_from(order + ("Q" if big else "H"), data, at)
    at += 8 if big else 2
    size, inline = (20, 8) if big else (12, 4)
    found: Directory = {}
    if at + size * entries > len(data):
        raise struct.error("a directory that does not lie in the file")
    for entry in range(at, at + size * entries, size):
        tag, kind, count = struct.unpack_from(order + ("HHQ" if big else "HHI"), data, entry)
        letter = _TYPES.get(kind)
        if tag not in _READ or letter is None:
            continue
        values = entry + size - inline
        if count * struct.calcsize(letter) > inline:
            (values,) = struct.unpack_from(order + ("Q" if big else "I"), data, values)
        if count > len(data):
            raise struct.error("more values than the file has bytes")
        found[tag] = struct.unpack_from(f"{order}{count}{letter}", data, values)
    return found


def tiff_size(data: bytes) -> tuple[int, int] | None:
    """Return width and height in pixels of the first picture, None where they are not stated."""
    found = read_directory(data)
    width, height = found.get(_WIDTH), found.get(_HEIGHT)
    return (width[0], height[0]) if width and height else None


def check_tiff(data: bytes, size_wh: tuple[int, int]) -> TiffParts:
    """Return what the file holds; `size_wh` is the width and height that it states.

    Raises:
        DamageError: a part is missing, cut short or contradicts another.
    """
    try:
        found = read_directory(data)
    except struct.error:
        raise DamageError(CUT_SHORT) from None
    samples = found.get(_SAMPLES, (1,))[0]
    depths = found.get(_BITS, (1,))
    if not 1 <= samples <= _MOST_SAMPLES or set(depths) - _BIT_DEPTHS or len(set(depths)) != 1:
        raise DamageError(f"{samples} samples of {depths[0] if depths else 0} bits a pixel")
    blocks = _blocks(found, size_wh, samples, depths[0])
    _check_places(data, blocks)
    compression = found.get(_COMPRESSION, (_UNCOMPRESSED,))[0]
    for start, length, expected in blocks:
        if compression == _UNCOMPRESSED and length < expected:
            raise DamageError("a part of the picture is too small")
        if compression in _DEFLATE:
            _check_inflated(memoryview(data)[start : start + length], expected)
    return TiffParts(max(1, depths[0] // 8), samples in {2, 4} or bool(found.get(_EXTRA)))


def _blocks(
    found: Directory, size_wh: tuple[int, int], samples: int, depth: int
) -> list[tuple[int, int, int]]:
    """Return offset, length and decoded size in bytes of each strip or tile."""
    width, height = size_wh
    planes = samples if found.get(_PLANAR, (1,))[0] == 2 else 1
    of_pixel = depth * (1 if planes > 1 else samples)
    tiled = _TILE_WIDTH in found
    offsets = found.get(_TILE_OFFSETS if tiled else _OFFSETS, ())
    lengths = found.get(_TILE_COUNTS if tiled else _COUNTS, ())
    if tiled:
        across, down = found[_TILE_WIDTH][0], found.get(_TILE_HEIGHT, (0,))[0]
        if not across or not down or across * down > 4 * width * height + (1 << 20):
            raise DamageError("tiles of a size that cannot be")
        of_block = [-(-across * of_pixel // 8) * down] * (-(-width // across) * -(-height // down))
    else:
        rows = min(found.get(_ROWS, (height,))[0], height)
        if not rows:
            raise DamageError("strips without rows")
        row = -(-width * of_pixel // 8)
        of_block = [row * min(rows, height - top) for top in range(0, height, rows)]
    expected = of_block * planes
    if not len(expected) == len(offsets) == len(lengths):
        raise DamageError("parts of the picture are missing")
    return list(zip(offsets, lengths, expected, strict=True))


def _check_places(data: bytes, blocks: Sequence[tuple[int, int, int]]) -> None:
    """Check that each part lies in the file, and in no other part."""
    before = 0
    for start, length in sorted({(start, length) for start, length, _ in blocks}):
        if start + length > len(data):
            raise DamageError(CUT_SHORT)
        if not length or start < max(before, 8):
            raise DamageError("parts of the picture lie where they cannot")
        before = start + length


def _check_inflated(block: memoryview, expected: int) -> None:
    inflated = 0
    for size in _inflated_sizes(block):
        inflated += size
        if inflated > expected:
            break
    if inflated != expected:
        raise DamageError("a part of the picture has not its size")


def _inflated_sizes(block: memoryview) -> Iterator[int]:
    """Yield how many bytes come out, in pieces: the checksum at the end is checked, too."""
    stream = zlib.decompressobj()
    left: memoryview | bytes = block
    try:
        while not stream.eof:
            piece = stream.decompress(left, _INFLATED_BYTES)
            left = stream.unconsumed_tail
            if not piece and not left and not stream.eof:
                raise DamageError(CUT_SHORT)
            yield len(piece)
    except zlib.error:
        raise DamageError("a part does not match its checksum") from None
