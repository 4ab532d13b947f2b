"""The frames of a video file, and whether it is all there."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from ..images import ImageError, RGBImage
from .edit_list import played_seconds

# Containers that store their number of frames; for others OpenCV guesses it from the duration.
_COUNTED_SUFFIXES = frozenset({".avi", ".m4v", ".mov", ".mp4"})


def read_video(path: Path) -> Iterator[RGBImage | ImageError]:
    """Yield the frames, RGB uint8 of shape (height, width, 3); an error ends a video cut short."""
    # FFmpeg takes what stands before a colon for a protocol.
    capture = cv2.VideoCapture(str(path.absolute()))
    try:
        index = 0
        while True:
            ok, bgr = capture.read()
            if not ok:
                break
            yield np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), dtype=np.uint8)
            index += 1
        counted = path.suffix.lower() in _COUNTED_SUFFIXES
        announced = int(capture.get(cv2.CAP_PROP_FRAME_COUNT)) if counted else 0
        played = played_seconds(path) if index < announced else None
        if played is not None:
            shown = round(played * capture.get(cv2.CAP_PROP_FPS))
            if shown < announced - 1:  # trimmed; the first and the last may be cut within a frame
                announced = shown - 1
    finally:
        capture.release()
    if not index:
        yield ImageError(str(path), "no frame of the video can be decoded; is the file whole?")
    elif index < announced:
        yield ImageError(
            str(path), f"ends after {index} of {announced} frames; the file is cut short"
        )
