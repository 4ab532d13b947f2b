"""Image files: what is one by its name, which are damaged, and their pixels.

Files, uploads, cameras, watched folders and training all decode with `decode_bgr`.
"""

from .decode import BGRImage, ImageError, RGBImage, decode_bgr, decode_image, read_image
from .names import IMAGE_SUFFIXES, is_image

__all__ = [
    "IMAGE_SUFFIXES",
    "BGRImage",
    "ImageError",
    "RGBImage",
    "decode_bgr",
    "decode_image",
    "is_image",
    "read_image",
]
