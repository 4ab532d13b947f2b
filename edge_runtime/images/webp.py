"""WebP: parts with lengths and sizes, and no checksum (RFC 9649; VP8 in RFC 6386)."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from .damage import CUT_SHORT, DamageError
from .exif import orientation_of

_ANIMATION, _ALPHA = 0x02, 0x10
_FRAME_HEADER = 16


@dataclass(frozen=True)
class WebpParts:
    """What a whole WebP file holds.

    Attributes:
        alpha: whether pixels may be transparent.
        orientation: as of EXIF, 1 to 8.
        animated: whether there are several pictures.
    """

    alpha: bool
    orientation: int
    animated: bool


def check_webp(data: bytes, size_wh: tuple[int, int]) -> WebpParts:
    """Return what the file holds; `size_wh` is the width and height that it states.

    Raises:
        DamageError: a part is missing, cut short or contradicts another.
    """
    end = 8 + int.from_bytes(data[4:8], "little")
    if end > len(data):
        raise DamageError(CUT_SHORT)
    flags, pictures, exif, alpha = 0, 0, b"", False
    for kind, start, stop in _chunks(data, 12, end):
        if kind == b"VP8X":
            flags = data[start]
        elif kind == b"EXIF":
            exif = data[start:stop]
        elif kind == b"ALPH":
            alpha = True
        elif kind in {b"VP8 ", b"VP8L"}:
            alpha = _check_picture(data, kind, start, stop, size_wh) or alpha
            pictures += 1
        elif kind == b"ANMF":
            _check_frame(data, start, stop, size_wh)
            pictures += 1
    animated = bool(flags & _ANIMATION)
    if not pictures or (pictures > 1 and not animated):
        raise DamageError("without a picture" if not pictures else "two pictures in one")
    return WebpParts(alpha or bool(flags & _ALPHA), orientation_of(exif), animated)


def _chunks(data: bytes, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    while at < end:
        kind, length = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        stop = at + 8 + length
        if stop > end or len(kind) < 4:
            raise DamageError(CUT_SHORT)
        yield kind, at + 8, stop
        at = stop + length % 2


def _check_picture(
    data: bytes, kind: bytes, start: int, stop: int, size_wh: tuple[int, int]
) -> bool:
    """Check the head of a picture, and return whether its pixels may be transparent."""
    try:
        if kind == b"VP8L":
            signature, bits = struct.unpack_from("<BI", data, start)
            stated = 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
            right = signature == 0x2F and bits >> 29 == 0 and stop - start > 5
            alpha = bool(bits >> 28 & 1)
        else:
            low, high, code, width, height = struct.unpack_from("<HB3sHH", data, start)
            stated = width & 0x3FFF, height & 0x3FFF
            tag = low | high << 16
            # A key frame that is shown, whose first partition is there (RFC 6386, 9.1).
            right = code == b"\x9d\x01\x2a" and tag & 1 == 0 and bool(tag >> 4 & 1)
            right = right and tag >> 5 <= stop - start - 10
            alpha = False
    except struct.error:
        raise DamageError(CUT_SHORT) from None
    if not right:
        raise DamageError("the head of the picture is wrong")
    if stated != size_wh:
        raise DamageError("it states two sizes")
    return alpha


def _check_frame(data: bytes, start: int, stop: int, size_wh: tuple[int, int]) -> None:
    if stop - start < _FRAME_HEADER:
        raise DamageError(CUT_SHORT)
    x, y, width, height = (
        int.from_bytes(data[start + at : start + at + 3], "little") for at in (0, 3, 6, 9)
    )
    width, height = width + 1, height + 1
    if 2 * x + width > size_wh[0] or 2 * y + height > size_wh[1]:
        raise DamageError("a picture that is larger than the file says")
    found = False
    for kind, first, last in _chunks(data, start + _FRAME_HEADER, stop):
        if kind in {b"VP8 ", b"VP8L"}:
            _check_picture(data, kind, first, last, (width, height))
            found = True
    if not found:
        raise DamageError("without a picture")
