"""The picture that a browser gets: small enough for a phone, the heatmap laid over it if asked."""

import base64
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ...heatmap import overlay_heatmap
from ...images import RGBImage
from ...preprocess import ResizeRule, seen_part

# The longest side of a picture that is sent, in pixels, and its JPEG quality.
LONGEST_SIDE = 960
_QUALITY = 80


@dataclass(frozen=True)
class PictureMaker:
    """Makes JPEG files of frames.

    Attributes:
        input_hw: height and width of the model's input in pixels.
        rule: how a frame is brought to that size, and so where a heatmap lies.
    """

    input_hw: tuple[int, int]
    rule: ResizeRule

    def jpeg(self, bgr: NDArray[np.uint8], heatmap: NDArray[np.float32] | None = None) -> bytes:
        """Return the JPEG file of `bgr`, uint8 of shape (height, width, 3), with `heatmap` on it.

        Args:
            bgr: the frame, of any size.
            heatmap: of the model's input, as `Classifier.class_activation_map` returns it.
        """
        small = shrink(bgr)
        if heatmap is not None:
            rgb = np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2RGB), np.uint8)
            small = np.asarray(
                cv2.cvtColor(self.overlay(rgb, heatmap), cv2.COLOR_RGB2BGR), np.uint8
            )
        return cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1].tobytes()

    def data_url(self, rgb: RGBImage, heatmap: NDArray[np.float32]) -> str:
        """Return a photograph with its heatmap as an address that holds the whole JPEG file."""
        jpeg = self.jpeg(
            np.asarray(cv2.cvtColor(shrink(rgb), cv2.COLOR_RGB2BGR), np.uint8), heatmap
        )
        return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"

    def overlay(self, rgb: RGBImage, heatmap: NDArray[np.float32]) -> RGBImage:
        """Return `rgb` with the heatmap where the model saw it; what it did not see stays as is."""
        height, width = rgb.shape[:2]
        top, left, rows, columns = seen_part((height, width), size_hw=self.input_hw, rule=self.rule)
        enlarged = cv2.resize(heatmap, (columns, rows), interpolation=cv2.INTER_LINEAR)
        # Of a padded input only the middle is picture: there `top` or `left` is negative.
        inside = np.asarray(enlarged[max(0, -top) :, max(0, -left) :][:height, :width], np.float32)
        top, left = max(0, top), max(0, left)
        place = np.s_[top : top + inside.shape[0], left : left + inside.shape[1]]
        mixed: RGBImage = rgb.copy()
        mixed[place] = overlay_heatmap(rgb[place], inside)
        return mixed


def shrink(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return `image` of shape (height, width, 3) with no side above `LONGEST_SIDE`."""
    height, width = image.shape[:2]
    share = LONGEST_SIDE / max(height, width)
    if share >= 1:
        return image
    size = max(1, round(width * share)), max(1, round(height * share))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
