"""How large an image is by its header, before anything of it is decoded."""

import re
import struct
from collections.abc import Callable

from .simple_formats import pnm_size
from .tiff import tiff_size

# Start-of-frame markers (ITU-T T.81, table B.1): 0xC0 to 0xCF without tables and JPG's own.
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})


_SIGNATURES = (
    ("JPEG", re.compile(rb"\xff\xd8")),
    ("PNG", re.compile(rb"\x89PNG\r\n\x1a\n")),
    ("WebP", re.compile(rb"RIFF....WEBP", re.DOTALL)),
    ("TIFF", re.compile(rb"II[*+]\0|MM\0[*+]")),
    ("BMP", re.compile(rb"BM")),
    ("GIF", re.compile(rb"GIF8[79]a")),
    ("PNM", re.compile(rb"P[1-6][\s#]")),
)


def image_format(data: bytes) -> str | None:
    """Return the name of the file's format by its first bytes; None if it is none of these."""
    return next((name for name, signature in _SIGNATURES if signature.match(data)), None)


def image_size(data: bytes) -> tuple[int, int] | None:
    """Return width and height in pixels as the file states them.

    Returns:
        None for what is none of the formats, or is cut within its header.
    """
    kind = image_format(data)
    try:
        return None if kind is None else _SIZES[kind](data)
    except struct.error:
        return None


def _two(values: tuple[int, ...]) -> tuple[int, int]:
    width, height = values
    return abs(width), abs(height)


def _jpeg(data: bytes) -> tuple[int, int] | None:
    at = 2
    while 0 <= (at := data.find(b"\xff", at)) < len(data) - 1:
        marker = data[at + 1]
        if marker in _JPEG_FRAMES:
            height, width = struct.unpack_from(">HH", data, at + 5)
            return width, height
        if marker == 0xFF:  # a fill byte
            at += 1
        elif marker in _JPEG_ALONE or marker == 0:
            at += 2
        else:
            at += 2 + struct.unpack_from(">H", data, at + 2)[0]
    return None


def _webp(data: bytes) -> tuple[int, int] | None:
    """Read the first chunk (RFC 9649, section 2; VP8's own header in RFC 6386, section 9.1)."""
    if data[12:16] == b"VP8X":
        low_width, high_width, low_height, high_height = struct.unpack_from("<HBHB", data, 24)
        return 1 + low_width + (high_width << 16), 1 + low_height + (high_height << 16)
    if data[12:16] == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if data[12:16] == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    return None


def _bmp(data: bytes) -> tuple[int, int]:
    (header,) = struct.unpack_from("<I", data, 14)
    return _two(struct.unpack_from("<HH" if header == 12 else "<ii", data, 18))


def _png(data: bytes) -> tuple[int, int]:
    return _two(struct.unpack_from(">II", data, 16))


def _gif(data: bytes) -> tuple[int, int]:
    return _two(struct.unpack_from("<HH", data, 6))


_SIZES: dict[str, Callable[[bytes], tuple[int, int] | None]] = {
    "JPEG": _jpeg,
    "PNG": _png,
    "WebP": _webp,
    "TIFF": tiff_size,
    "BMP": _bmp,
    "GIF": _gif,
    "PNM": pnm_size,
}
