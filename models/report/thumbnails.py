"""Images small enough to lie inside a page."""

from base64 import b64encode
from pathlib import Path

import cv2

from ...edge_runtime.images import ImageError, RGBImage, read_image

_SIDE = 144  # shown at 96 to 140, so that it is sharp enough


class Thumbnails:
    """Images as data URIs, each read once."""

    def __init__(self, folder: Path) -> None:
        """`folder` is what their paths are relative to."""
        self._folder = folder
        self._found: dict[str, str | None] = {}

    def __getitem__(self, path: str) -> str | None:
        """Return the image at most 144 pixels wide and high; None if it cannot be read."""
        if path not in self._found:
            self._found[path] = _thumbnail(self._folder / path)
        return self._found[path]


def _thumbnail(path: Path) -> str | None:
    try:
        image = read_image(path)
    except ImageError:
        return None
    return picture_of(image)


def picture_of(image: RGBImage, *, side: int = _SIDE) -> str:
    """Return an RGB image as a data URI, made at most `side` pixels wide and high."""
    height, width = image.shape[:2]
    factor = min(1.0, side / max(height, width))
    size = max(1, round(width * factor)), max(1, round(height * factor))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    _, data = cv2.imencode(".jpg", small[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 78])
    return f"data:image/jpeg;base64,{b64encode(data.tobytes()).decode()}"
