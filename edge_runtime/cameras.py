"""What is a camera, and what is a file instead."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .live.sources.address import CameraAddress


def find_camera(source: str) -> "CameraAddress | None":
    """Return the camera that `source` names, or None; a file or folder of that name comes first.

    Raises:
        EdgeclfError: a malformed address of a camera.
    """
    if not source.startswith("/dev/") and _exists(source):
        return None  # a photograph does not wait for the code of cameras
    from .live.sources.address import CameraAddress

    return CameraAddress.parse(source)


def _exists(source: str) -> bool:
    try:
        return Path(source).exists()
    except (OSError, ValueError):  # too long for a file's name, or with a NUL
        return False
