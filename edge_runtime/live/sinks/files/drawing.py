"""Words on a picture."""

from datetime import datetime

import cv2
import numpy as np
from numpy.typing import NDArray

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_WHITE = (255, 255, 255)


def caption(label: str, score: float, taken_at: float) -> str:
    """Return what is drawn on a picture: the label, its score and the local time."""
    return f"{label}  {score:.2f}  {datetime.fromtimestamp(taken_at):%Y-%m-%d %H:%M:%S}"


def draw_caption(bgr: NDArray[np.uint8], text: str) -> NDArray[np.uint8]:
    """Return a copy of the picture with `text` along its lower edge, as large as fits.

    Args:
        bgr: uint8 of shape (height, width, 3).
        text: OpenCV before 5 draws question marks for what is not ASCII.
    """
    height, width = bgr.shape[:2]
    scale = max(0.3, min(height, width) / 600)
    text_width = cv2.getTextSize(text, _FONT, scale, 1)[0][0]
    scale *= min(1.0, 0.96 * width / text_width)
    thickness = max(1, round(scale * 1.5))
    (_, text_height), below = cv2.getTextSize(text, _FONT, scale, thickness)
    drawn: NDArray[np.uint8] = bgr.copy()
    band = drawn[max(0, height - 2 * (text_height + below)) :]
    band //= 3
    at = (round(0.02 * width), height - below - text_height // 2)
    cv2.putText(drawn, text, at, _FONT, scale, _WHITE, thickness, cv2.LINE_AA)
    return drawn
