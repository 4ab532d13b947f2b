"""From the bytes of an image file to pixels, or to an error that names the file.

The header is read and the parts are checked before a decoder sees anything: some decoders allocate
what a header of 50 bytes asks for, and most return a picture for a file that is damaged.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from os import PathLike
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from ..errors import EdgeclfError
from ..validation.arguments import as_path, as_whole
from .damage import CUT_SHORT, DamageError
from .decoder_output import decode_watched
from .jpeg import check_jpeg
from .memory import refusal
from .names import FORMATS
from .png import check_png
from .simple_formats import check_bmp, check_gif, check_pnm
from .size import image_format, image_size
from .tiff import check_tiff
from .webp import check_webp

RGBImage = NDArray[np.uint8]
BGRImage = NDArray[np.uint8]

ImageFault = Literal["unreadable", "empty", "unknown", "large", "damaged"]

_WHITE = 255
_ROWS_AT_ONCE = 256
# Larger ones are decoded one after another, at any number of threads.
_LARGE_BYTES = 64_000_000
_LARGE = threading.Lock()


class ImageError(EdgeclfError):
    """An image file that cannot be read as the photograph it was meant to be.

    Attributes:
        name: of the file.
        fault: which kind of error it is; `unknown` is a format that is not read here.
        reason: what is wrong, without the file's name.
    """

    def __init__(self, name: str, reason: str, fault: ImageFault = "damaged") -> None:
        """Complain of the file `name` for `reason`."""
        super().__init__(name, reason, fault)  # all of them, so that it can be pickled
        self.name, self.reason, self.fault = name, reason, fault

    def __str__(self) -> str:
        """Return the file's name and the reason."""
        return f"{self.name}: {self.reason}"


@dataclass(frozen=True)
class _Parts:
    """What the decoder gets to know of a file that is in order.

    Attributes:
        data: the bytes that it decodes.
        bytes_a_pixel: that decoding takes at most.
        alpha: whether pixels may be transparent.
        orientation: as of EXIF, 1 to 8; of images with alpha, where OpenCV does not turn them.
        transparent: the samples of a colour that is transparent.
        depth: bits of these samples.
    """

    data: bytes
    bytes_a_pixel: int
    alpha: bool = False
    orientation: int = 1
    transparent: tuple[int, ...] = ()
    depth: int = 8


def read_image(path: str | PathLike[str], *, background: int = _WHITE) -> RGBImage:
    """Return the image as RGB uint8 of shape (height, width, 3), turned upright by its EXIF tag.

    Grey images are repeated over the channels, 16 bits become 8.

    Args:
        path: the file.
        background: the grey, 0 to 255, that shows where the image is transparent: white, if not
            for masks.

    Raises:
        ImageError: the file is missing, empty, damaged, too large for the memory or no image.
        EdgeclfError: an argument is of another type, or out of its range.
    """
    try:
        data = as_path(path, name="path").read_bytes()
    except OSError as error:
        raise ImageError(str(path), f"cannot be read ({error.strerror})", "unreadable") from None
    return decode_image(data, name=str(path), background=background)


def decode_image(
    data: bytes,
    *,
    name: str = "image",
    most_pixels: int | None = None,
    background: int = _WHITE,
) -> RGBImage:
    """Decode the bytes of an image file as `read_image` does; the arguments as of `decode_bgr`."""
    bgr = decode_bgr(data, name=name, most_pixels=most_pixels, background=background)
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def decode_bgr(
    data: bytes, *, name: str, most_pixels: int | None = None, background: int = _WHITE
) -> BGRImage:
    """Return the image as `read_image` does, but as BGR.

    Args:
        data: the bytes of an image file.
        name: stands in the errors.
        most_pixels: how many the image may have; else as the memory allows.
        background: as of `read_image`.

    Raises:
        ImageError: the bytes are no image, damaged, or too large for the memory.
        EdgeclfError: an argument is of another type, or out of its range.
    """
    if most_pixels is not None:
        mend = "give a number of pixels, or None"
        most_pixels = as_whole(most_pixels, name="most_pixels", least=1, mend=mend)
    grey = "give a grey from 0 to 255"
    background = as_whole(background, name="background", least=0, most=255, mend=grey)
    if not isinstance(data, bytes):
        try:
            data = bytes(memoryview(data))
        except TypeError:
            raise EdgeclfError(
                f"{name}: data of type {type(data).__name__}; give the bytes of an image file"
            ) from None
    if not data:
        raise ImageError(name, "the file is empty", "empty")
    kind = image_format(data)
    if kind is None or kind not in FORMATS:
        raise ImageError(name, "not an image that OpenCV can decode", "unknown")
    size = image_size(data)
    if size is not None and most_pixels is not None and size[0] * size[1] > most_pixels:
        reason = f"{size[0]}×{size[1]} is more than {most_pixels / 1e6:g} megapixels"
        raise ImageError(name, reason, "large")
    _refuse_large(name, size, 6)
    parts = _check(kind, data, size, name)
    large = _refuse_large(name, size, parts.bytes_a_pixel)
    if not large:
        return _decode(kind, parts, name, background)
    with _LARGE:
        _refuse_large(name, size, parts.bytes_a_pixel)
        return _decode(kind, parts, name, background)


def _refuse_large(name: str, size_wh: tuple[int, int] | None, bytes_a_pixel: int) -> bool:
    """Refuse what the memory cannot hold, and return whether it takes much of it."""
    if size_wh is None:
        return False
    reason = refusal(size_wh, bytes_a_pixel)
    if reason is not None:
        raise ImageError(name, reason, "large")
    return size_wh[0] * size_wh[1] * bytes_a_pixel > _LARGE_BYTES


def _check(kind: str, data: bytes, size_wh: tuple[int, int] | None, name: str) -> _Parts:
    if size_wh is None:
        raise _damaged(name, CUT_SHORT)
    if 0 in size_wh:
        raise ImageError(name, "not an image: its header states no pixel", "unknown")
    try:
        return _CHECKS[kind](data, size_wh)
    except DamageError as damage:
        raise _damaged(name, str(damage)) from None


def _damaged(name: str, damage: str) -> ImageError:
    return ImageError(name, f"the image is {'' if damage == CUT_SHORT else 'damaged: '}{damage}")


def _jpeg(data: bytes, _size_wh: tuple[int, int]) -> _Parts:
    return _Parts(data, 18 if check_jpeg(data) else 12)


def _png(data: bytes, _size_wh: tuple[int, int]) -> _Parts:
    parts = check_png(data)
    return _Parts(
        data=parts.decodable,
        bytes_a_pixel=28 if parts.depth == 16 else 16,
        alpha=parts.alpha,
        orientation=parts.orientation,
        transparent=parts.transparent,
        depth=parts.depth,
    )


def _webp(data: bytes, size_wh: tuple[int, int]) -> _Parts:
    parts = check_webp(data, size_wh)
    return _Parts(data, 28 if parts.animated else 20, parts.alpha, parts.orientation)


def _tiff(data: bytes, size_wh: tuple[int, int]) -> _Parts:
    parts = check_tiff(data, size_wh)
    # The decoder turns it, regardless of the channels.
    return _Parts(data, 12 + 12 * parts.sample_bytes, parts.alpha)


def _bmp(data: bytes, size_wh: tuple[int, int]) -> _Parts:
    return _Parts(data, 16, check_bmp(data, size_wh))


def _gif(data: bytes, size_wh: tuple[int, int]) -> _Parts:
    check_gif(data, size_wh)
    return _Parts(data, 28, alpha=True)


def _pnm(data: bytes, size_wh: tuple[int, int]) -> _Parts:
    return _Parts(data, 12 + 3 * check_pnm(data, size_wh))


_CHECKS: dict[str, Callable[[bytes, tuple[int, int]], _Parts]] = {
    "JPEG": _jpeg,
    "PNG": _png,
    "WebP": _webp,
    "TIFF": _tiff,
    "BMP": _bmp,
    "GIF": _gif,
    "PNM": _pnm,
}


def _decode(kind: str, parts: _Parts, name: str, background: int) -> BGRImage:
    with_alpha = parts.alpha or bool(parts.transparent)
    flags = cv2.IMREAD_UNCHANGED if with_alpha else cv2.IMREAD_COLOR
    encoded = np.frombuffer(parts.data, np.uint8)
    try:
        pixels, complaints = decode_watched(
            lambda: cv2.imdecode(encoded, flags), log=kind == "TIFF"
        )
    except cv2.error as error:
        raise ImageError(name, f"the image cannot be decoded ({error.err})") from None
    except MemoryError:
        raise ImageError(name, "the image does not fit into the memory", "large") from None
    if complaints:
        raise _damaged(name, complaints[0])
    if pixels is None:
        raise ImageError(name, "the image cannot be decoded; is the file whole?")
    if with_alpha:
        return _turned(_composited(pixels, parts, background), parts.orientation)
    return np.asarray(pixels, np.uint8)


def _composited(pixels: NDArray[np.generic], parts: _Parts, background: int) -> BGRImage:
    """Return the pixels as they look before a grey, BGR uint8 of shape (height, width, 3)."""
    colour, channels = pixels, 1 if pixels.ndim == 2 else pixels.shape[2]
    if pixels.dtype not in (np.uint8, np.uint16):
        pixels = np.clip(pixels.astype(np.float32), 0, 255)
    if pixels.dtype == np.uint16:
        pixels = np.right_shift(pixels.astype(np.uint16), 8)
    levels = np.asarray(pixels, np.uint8).reshape(*pixels.shape[:2], channels)
    bgr = np.empty((*levels.shape[:2], 3), np.uint8)
    for top in range(0, len(levels), _ROWS_AT_ONCE):
        part = slice(top, top + _ROWS_AT_ONCE)
        bgr[part] = levels[part, :, :3] if channels >= 3 else levels[part, :, :1]
        if channels in {2, 4}:
            alpha = levels[part, :, -1:].astype(np.uint16)
            bgr[part] = (bgr[part] * alpha + background * (255 - alpha) + 127) // 255
        elif parts.transparent:
            bgr[part][_is_transparent(colour[part], parts)] = background
    return bgr


def _is_transparent(pixels: NDArray[np.generic], parts: _Parts) -> NDArray[np.bool_]:
    """Tell which pixels have the colour that a PNG without alpha declares transparent."""
    # Samples of less than 8 bits are spread over the range.
    factor = 255 // (2**parts.depth - 1) if parts.depth < 8 else 1
    key = np.asarray(parts.transparent[::-1]) * factor
    found = pixels.reshape(*pixels.shape[:2], -1) == key
    return np.asarray(found.all(axis=2))


def _turned(bgr: BGRImage, orientation: int) -> BGRImage:
    if orientation in {5, 6, 7, 8}:
        bgr = bgr.transpose(1, 0, 2)
    upside_down, mirrored = orientation in {3, 4, 7, 8}, orientation in {2, 3, 6, 7}
    if upside_down:
        bgr = bgr[::-1]
    if mirrored:
        bgr = bgr[:, ::-1]
    return np.ascontiguousarray(bgr)
