"""BMP, GIF and PNM: formats without checksums, whose parts must at least be there."""

import re
import struct

from .damage import CUT_SHORT, DamageError

_RAW, _RLE, _FIELDS = 0, {1, 2}, 3
_OS2_HEADER, _HEADER_WITH_ALPHA = 12, 56

# Magic, width, height and, but for bitmaps, the highest value; comments may stand between them.
_SPACE = rb"(?:\s|#[^\n]*\n)+"
_PNM = re.compile(
    rb"P([14])" + _SPACE + rb"(\d+)" + _SPACE + rb"(\d+)\s"
    rb"|P([2356])" + _SPACE + rb"(\d+)" + _SPACE + rb"(\d+)" + _SPACE + rb"(\d+)\s"
)
_LONGEST_PNM_HEADER = 1 << 12


def check_bmp(data: bytes, size_wh: tuple[int, int]) -> bool:
    """Return whether the file has alpha.

    Raises:
        DamageError: the picture is not all there.
    """
    try:
        (pixels, header) = struct.unpack_from("<II", data, 10)
        if header == _OS2_HEADER:
            (depth,) = struct.unpack_from("<H", data, 24)
            compression, size = _RAW, 0
        else:
            depth, compression, size = struct.unpack_from("<HII", data, 28)
        mask = struct.unpack_from("<I", data, 66)[0] if header >= _HEADER_WITH_ALPHA else 0
    except struct.error:
        raise DamageError(CUT_SHORT) from None
    if depth not in {1, 4, 8, 16, 24, 32}:
        raise DamageError(f"{depth} bits a pixel")
    if compression in {_RAW, _FIELDS}:
        size = (size_wh[0] * depth + 31) // 32 * 4 * size_wh[1]
    elif compression not in _RLE:
        raise DamageError("a compression that BMP does not have")
    if not pixels >= 14 or pixels + size > len(data):
        raise DamageError(CUT_SHORT)
    return mask != 0 and depth == 32


def check_gif(data: bytes, size_wh: tuple[int, int]) -> None:
    """Walk the blocks to the end (GIF89a, section 17 on).

    Raises:
        DamageError: it is cut short, or a picture does not lie on the screen.
    """
    try:
        at = 13 + _colours(data[10])
        pictures = 0
        while data[at] != 0x3B:
            kind = data[at]
            if kind == 0x2C:
                left, top, width, height, packed = struct.unpack_from("<HHHHB", data, at + 1)
                if left + width > size_wh[0] or top + height > size_wh[1]:
                    raise DamageError("a picture that is larger than the file says")
                at += 11 + _colours(packed)
                pictures += 1
            elif kind == 0x21:
                at += 2
            else:
                raise DamageError("bytes that belong to no part")
            while data[at]:
                at += 1 + data[at]
            at += 1
    except (IndexError, struct.error):
        raise DamageError(CUT_SHORT) from None
    if not pictures:
        raise DamageError("without a picture")


def _colours(packed: int) -> int:
    return 3 << ((packed & 7) + 1) if packed & 0x80 else 0


def pnm_size(data: bytes) -> tuple[int, int] | None:
    """Return width and height in pixels of a PBM, PGM or PPM file; None if they are cut off."""
    found = _PNM.match(data[:_LONGEST_PNM_HEADER])
    if found is None:
        return None
    kind = 1 if found[1] else 4
    return int(found[kind + 1]), int(found[kind + 2])


def check_pnm(data: bytes, size_wh: tuple[int, int]) -> int:
    """Return the bytes of a sample.

    Raises:
        DamageError: the picture is not all there.
    """
    found = _PNM.match(data[:_LONGEST_PNM_HEADER])
    if found is None:
        raise DamageError(CUT_SHORT)
    width, height = size_wh
    kind = int(found[1] or found[4])
    if kind in {1, 4}:
        row, sample = -(-width // 8), 1
    else:
        sample = 1 if int(found[7]) < 256 else 2
        row = width * sample * (3 if kind in {3, 6} else 1)
    # As text each sample takes a digit, and a space but for bitmaps.
    least = row * height if kind > 3 else width * height * (1 if kind == 1 else row // width)
    if len(data) - found.end() < least:
        raise DamageError(CUT_SHORT)
    return sample
