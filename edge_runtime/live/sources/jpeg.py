"""JPEG frames of a camera, decoded as every other image is."""

from ...images import BGRImage, ImageError, decode_bgr
from .capture import DamagedError


def decode_jpeg(data: bytes) -> BGRImage:
    """Return the pixels, BGR uint8 of shape (height, width, 3).

    Raises:
        DamagedError: the frame is damaged, too large or no image.
    """
    try:
        return decode_bgr(data, name="frame")
    except ImageError as error:
        raise DamagedError(f"a frame that cannot be decoded: {error.reason}", damaged=1) from None
