"""PNG: every part has a checksum (W3C PNG, third edition, sections 5 and 11)."""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from .damage import CUT_SHORT, DamageError
from .exif import orientation_of

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GREY, _COLOUR, _WITH_ALPHA = 0, 2, {4, 6}
_DEPTHS = {0: {1, 2, 4, 8, 16}, 2: {8, 16}, 3: {1, 2, 4, 8}, 4: {8, 16}, 6: {8, 16}}

# What OpenCV needs not, and what could make it allocate much: animations, compressed texts and
# profiles.
_NOT_DECODED = {b"acTL", b"fcTL", b"fdAT", b"iCCP", b"iTXt", b"tEXt", b"zTXt"}


@dataclass(frozen=True)
class PngParts:
    """What a whole PNG holds.

    Attributes:
        depth: bits of a sample.
        alpha: whether pixels may be transparent.
        transparent: the samples of the colour that is transparent; empty if there is none.
        orientation: as of EXIF, 1 to 8.
        decodable: the file without what the decoder needs not.
    """

    depth: int
    alpha: bool
    transparent: tuple[int, ...]
    orientation: int
    decodable: bytes


def check_png(data: bytes) -> PngParts:
    """Return what the file holds.

    Raises:
        DamageError: a part is missing, cut short or does not match its checksum.
    """
    header = palette = transparency = exif = b""
    picture = leave_out = False
    ends = [len(SIGNATURE)]
    for kind, content, end in _chunks(data):
        ends.append(end)
        if (kind == b"IHDR") == bool(header):
            raise DamageError("its parts are in disorder")
        if kind == b"IHDR":
            header = content
        elif kind == b"PLTE":
            palette = content
        elif kind == b"tRNS":
            transparency = content
        elif kind == b"eXIf":
            exif = content
        elif kind == b"IDAT":
            picture = True
        leave_out = leave_out or kind in _NOT_DECODED
    depth, colour = header[8], header[9]
    if depth not in _DEPTHS.get(colour, ()):
        raise DamageError("a kind of pixel that PNG does not have")
    if not picture or (colour == 3 and not palette):
        raise DamageError("without a picture" if not picture else "without its colours")
    key = colour in {_GREY, _COLOUR} and len(transparency) == (6 if colour else 2)
    return PngParts(
        depth=depth,
        alpha=colour in _WITH_ALPHA or (colour == 3 and bool(transparency)),
        transparent=tuple(
            int.from_bytes(transparency[at : at + 2], "big")
            for at in range(0, len(transparency) if key else 0, 2)
        ),
        orientation=orientation_of(exif),
        decodable=_without(data, ends) if leave_out else data,
    )


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes, int]]:
    """Yield type, content and end of each part up to the last; only headers are copied."""
    at = len(SIGNATURE)
    kind = b""
    while kind != b"IEND":
        length = int.from_bytes(data[at : at + 4], "big")
        kind, end = data[at + 4 : at + 8], at + 12 + length
        if end > len(data):
            raise DamageError(CUT_SHORT)
        if zlib.crc32(memoryview(data)[at + 4 : end - 4]) != int.from_bytes(
            data[end - 4 : end], "big"
        ):
            raise DamageError("a part does not match its checksum")
        if kind == b"IHDR" and length != 13:
            raise DamageError("its header is of a wrong size")
        yield kind, b"" if kind == b"IDAT" else data[at + 8 : end - 4], end
        at = end


def _without(data: bytes, ends: list[int]) -> bytes:
    parts = [data[: ends[0]]]
    for start, end in pairwise(ends):
        if data[start + 4 : start + 8] not in _NOT_DECODED:
            parts.append(data[start:end])
    return b"".join(parts)
