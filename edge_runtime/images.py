"""From the bytes of an image file to RGB pixels, or to an error that names the file."""

from os import PathLike
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from .errors import EdgeclfError

RGBImage = NDArray[np.uint8]

IMAGE_SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})


class ImageError(EdgeclfError):
    """An image file that cannot be read as the photograph it was meant to be."""


def is_image(path: Path) -> bool:
    """Tell by its name whether `path` is an image file; hidden files are not."""
    return path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")


def find_images(folder: str | PathLike[str]) -> list[Path]:
    """Return the image files at any depth below `folder`, sorted; hidden folders are left out."""
    return [path for path in visible_files(Path(folder)) if is_image(path)]


def visible_files(folder: Path) -> list[Path]:
    """Return the files at any depth below `folder`, sorted, without hidden ones."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )


def read_image(path: str | PathLike[str]) -> RGBImage:
    """Return the image as RGB uint8 of shape (height, width, 3), turned upright by its EXIF tag.

    Grey images are repeated over the channels, alpha is dropped, 16 bits become 8.

    Raises:
        ImageError: the file is missing, empty, cut short or no image.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise ImageError(f"{path}: cannot be read ({error.strerror})") from None
    return decode_image(data, name=str(path))


def decode_image(data: bytes, *, name: str = "image") -> RGBImage:
    """Decode the bytes of an image file as `read_image` does.

    Args:
        data: of a JPEG, PNG, WebP, TIFF or BMP file.
        name: stands in the errors.

    Raises:
        ImageError: the bytes are none, cut short or no image.
    """
    if not data:
        raise ImageError(f"{name}: the file is empty")
    # OpenCV returns a half-grey picture for a file that was cut short, and only prints a warning.
    if _is_cut_short(data):
        raise ImageError(f"{name}: the image is cut short")
    try:
        bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise ImageError(f"{name}: the image cannot be decoded ({error.err})") from None
    if bgr is None:
        raise ImageError(f"{name}: not an image that OpenCV can decode")
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def _is_cut_short(data: bytes) -> bool:
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return b"IEND" not in data
    if data.startswith(b"\xff\xd8"):
        return not _has_jpeg_end(data)
    return False


def _has_jpeg_end(data: bytes) -> bool:
    """Walk the markers to the picture's own end: embedded thumbnails and trailers have others.

    Markers and their lengths are those of ITU-T T.81, annex B.
    """
    at = 2
    while at + 2 <= len(data):
        if data[at] != 0xFF:  # entropy-coded data: the next marker is what counts
            at = data.find(b"\xff", at)
            if at < 0:
                return False
            continue
        marker = data[at + 1]
        if marker == 0xD9:
            return True
        if marker == 0xFF:  # fill byte
            at += 1
        elif marker == 0x00 or 0xD0 <= marker <= 0xD7 or marker == 0x01:
            at += 2  # a stuffed zero, a restart marker: no length follows
        else:
            at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return False
