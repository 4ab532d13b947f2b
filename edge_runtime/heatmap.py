"""Class activation maps: where in an image a classifier sees what it names.

Before the softmax, the score of a class is the mean over all places of the last feature map, its
channels weighed by the class's weights, plus a bias. The same sum without the mean is the map
(Zhou et al. 2016, https://arxiv.org/abs/1512.04150).
"""

import base64
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .files import write_bytes
from .images import RGBImage


@dataclass(frozen=True)
class HeatmapHead:
    """What makes heatmaps of a model's second output, its last feature map.

    Attributes:
        channels: of the feature map.
        weights: the classifier's, float16 of shape (classes, channels), little-endian: the bytes in
            base64.
    """

    channels: int
    weights: str

    @classmethod
    def from_kernel(cls, kernel: NDArray[np.float32]) -> "HeatmapHead":
        """Return the head of a dense layer's `kernel` of shape (channels, classes)."""
        rows = np.ascontiguousarray(kernel.T.astype("<f2"))
        return cls(channels=len(kernel), weights=base64.b64encode(rows.tobytes()).decode())

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "HeatmapHead":
        """Read the JSON object of a head; a damaged one is a ValueError, KeyError or TypeError."""
        head = cls(channels=int(values["channels"]), weights=str(values["weights"]))
        if not np.isfinite(head.class_weights()).all():
            raise ValueError("weights of a heatmap that are not finite")
        return head

    def class_weights(self) -> NDArray[np.float32]:
        """Return the weights, float32 of shape (classes, channels)."""
        return self._decoded

    @cached_property
    def _decoded(self) -> NDArray[np.float32]:
        stored = np.frombuffer(base64.b64decode(self.weights, validate=True), "<f2")
        return stored.reshape(-1, self.channels).astype(np.float32)


def overlay_heatmap(rgb: RGBImage, heatmap: NDArray[np.float32]) -> RGBImage:
    """Return `rgb`, uint8 of shape (height, width, 3), with `heatmap` laid over it in colours.

    Args:
        rgb: the image.
        heatmap: of shape (rows, columns); its highest value becomes bright, and dark is what does
            not speak for the class.
    """
    height, width = rgb.shape[:2]
    speaking = np.maximum(heatmap, 0)
    shares = np.asarray(speaking / (speaking.max() or 1), np.float32)
    enlarged = cv2.resize(shares, (width, height), interpolation=cv2.INTER_LINEAR)
    bgr = cv2.applyColorMap(np.rint(enlarged * 255).astype(np.uint8), cv2.COLORMAP_INFERNO)
    mixed = cv2.addWeighted(rgb, 0.5, cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), 0.5, 0)
    return np.asarray(mixed, np.uint8)


def write_heatmap(path: Path, rgb: RGBImage, heatmap: NDArray[np.float32]) -> None:
    """Write what `overlay_heatmap` returns to `path` as PNG, whole or not at all."""
    bgr = cv2.cvtColor(overlay_heatmap(rgb, heatmap), cv2.COLOR_RGB2BGR)
    write_bytes(path, cv2.imencode(".png", bgr)[1].tobytes())
