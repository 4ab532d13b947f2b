"""The size of a photograph is read from the file's first bytes."""

import struct
from typing import Any

import cv2
import numpy as np
import pytest
from web_client import encoded

from edgeclf.edge_runtime.images.size import image_size


@pytest.mark.parametrize(
    ("suffix", "options"),
    [
        (".jpg", ()),
        (".jpg", (cv2.IMWRITE_JPEG_PROGRESSIVE, 1)),
        (".png", ()),
        (".bmp", ()),
        (".tiff", ()),
        (".webp", (cv2.IMWRITE_WEBP_QUALITY, 80)),
        (".webp", (cv2.IMWRITE_WEBP_QUALITY, 101)),
    ],
)
@pytest.mark.parametrize("shape", [(1, 1, 3), (300, 7, 3), (7, 300, 3), (48, 64, 4)])
def test_the_size_is_read_from_the_header(
    suffix: str, options: tuple[int, ...], shape: tuple[int, int, int]
) -> None:
    image = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    data = encoded(suffix, image, *options)
    assert image_size(data) == (shape[1], shape[0])
    for end in range(0, 12):
        assert image_size(data[:end]) is None


def test_sizes_that_no_encoder_here_writes() -> None:
    canvas = b"RIFF" + bytes(4) + b"WEBPVP8X" + bytes(8) + b"\x0f\x27\x00" + b"\x01\x00\x01"
    assert image_size(canvas) == (10_000, 65_538)
    os2 = b"BM" + bytes(12) + struct.pack("<IHH", 12, 640, 480)
    assert image_size(os2) == (640, 480)
    upside_down = b"BM" + bytes(12) + struct.pack("<Iii", 40, 640, -480)
    assert image_size(upside_down) == (640, 480)


def test_the_sizes_of_real_photographs(shared: Any) -> None:
    files = sorted((shared / "data").rglob("*.jpg"))[::97]
    assert len(files) > 20
    for path in files:
        image = cv2.imread(str(path), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
        assert image_size(path.read_bytes()) == (image.shape[1], image.shape[0])
