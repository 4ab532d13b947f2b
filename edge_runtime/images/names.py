"""Which files are images, by their names."""

from pathlib import Path

import cv2

_SUFFIXES = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "PNG": (".png",),
    "WebP": (".webp",),
    "TIFF": (".tif", ".tiff"),
    "BMP": (".bmp", ".dib"),
    "PNM": (".pbm", ".pgm", ".ppm", ".pnm"),
}
# OpenCV reads GIF since 4.11; there it can be left out of a build.
_HAS_GIF = any(line.split() == ["GIF:", "YES"] for line in cv2.getBuildInformation().splitlines())

FORMATS = (*_SUFFIXES, *(("GIF",) if _HAS_GIF else ()))
IMAGE_SUFFIXES = frozenset(suffix for suffixes in _SUFFIXES.values() for suffix in suffixes) | (
    {".gif"} if _HAS_GIF else frozenset()
)


def is_image(path: Path) -> bool:
    """Tell by its name whether `path` is an image file; hidden files are not."""
    return path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")
