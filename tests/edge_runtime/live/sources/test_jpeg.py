"""Which damage of a JPEG is noticed, before it is decoded and while it is."""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from live_servers import jpeg, picture
from skips import require_linux

from edgeclf.edge_runtime.images.decoder_output import decoder_warnings
from edgeclf.edge_runtime.images.jpeg import find_damage
from edgeclf.edge_runtime.live.sources.capture import DamagedError
from edgeclf.edge_runtime.live.sources.jpeg import decode_jpeg

SCAN = b"\xff\xda"


@pytest.mark.parametrize(
    "flags",
    [
        (),
        (cv2.IMWRITE_JPEG_QUALITY, 30),
        (cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
        (cv2.IMWRITE_JPEG_OPTIMIZE, 1),
        (cv2.IMWRITE_JPEG_RST_INTERVAL, 2),
    ],
    ids=["usual", "coarse", "progressive", "own tables", "restart markers"],
)
@pytest.mark.parametrize("trailer", [b"", bytes(40), b"\r\n"], ids=["", "zeros", "newline"])
def test_whole_ones_are_whole(flags: tuple[int, ...], trailer: bytes) -> None:
    data = jpeg(5, *flags) + trailer
    assert find_damage(data) is None
    bgr = decode_jpeg(data)
    assert np.abs(bgr.astype(int) - picture(5)).mean() < 6


def test_a_grey_one_becomes_bgr() -> None:
    data = cv2.imencode(".jpg", picture(5)[..., 0])[1].tobytes()
    assert find_damage(data) is None
    assert decode_jpeg(data).shape == (48, 64, 3)


def test_a_black_one_holds_no_hole() -> None:
    for flags in ((), (cv2.IMWRITE_JPEG_OPTIMIZE, 1)):
        for shape in ((480, 640, 3), (480, 640)):
            data = cv2.imencode(".jpg", np.zeros(shape, np.uint8), flags)[1].tobytes()
            assert find_damage(data) is None


def test_fill_bytes_before_a_marker_are_allowed() -> None:
    data = jpeg(1)
    assert find_damage(data[:2] + b"\xff\xff" + data[2:]) is None


@pytest.mark.parametrize("keep", [0, 1, 2, 3, 4, 30, 0.3, 0.5, 0.9, -1, -2, -3])
@pytest.mark.parametrize("progressive", [0, 1])
def test_cut_ones_are_noticed(keep: float, progressive: int) -> None:
    data = jpeg(5, cv2.IMWRITE_JPEG_PROGRESSIVE, progressive)
    cut = data[: keep if isinstance(keep, int) else int(len(data) * keep)]
    assert find_damage(cut) == ("no JPEG" if len(cut) < 2 else "cut short")


def test_a_hole_in_the_header_is_noticed() -> None:
    data = jpeg(5, height=240, width=320)
    for start in range(2, data.index(SCAN) - 200):
        assert find_damage(data[:start] + bytes(200) + data[start + 200 :]) is not None


def test_a_hole_in_the_picture_is_noticed() -> None:
    data = jpeg(5, height=240, width=320)
    first = data.index(SCAN) + 14
    assert len(data) - first > 1000
    for start in range(first, len(data) - 202, 7):
        damage = find_damage(data[:start] + bytes(200) + data[start + 200 :])
        assert damage == "a hole of zeros in the picture"


def test_what_is_no_jpeg_is_noticed() -> None:
    for data in (b"", b"<html>", b"\x89PNG\r\n\x1a\n" + bytes(99), b"\xff\xd8\xff\xd9"):
        assert find_damage(data) is not None


def test_data_at_the_wrong_place_are_noticed_in_decoding() -> None:
    data = jpeg(5, height=240, width=320)
    middle = (data.index(SCAN) + len(data)) // 2
    damaged = data[:middle] + b"\x55" * 300 + data[middle + 300 :]
    assert find_damage(damaged) is None  # each part is where it should be
    with pytest.raises(DamagedError, match="Corrupt JPEG data"):
        decode_jpeg(damaged)
    assert decode_jpeg(data).shape == (240, 320, 3)


def test_an_end_that_comes_early_is_noticed_in_decoding() -> None:
    data = jpeg(5, height=240, width=320)
    early = data[: (data.index(SCAN) + len(data)) // 2] + b"\xff\xd9"
    assert find_damage(early) is None
    with pytest.raises(DamagedError, match="premature end"):
        decode_jpeg(early)


def test_what_cannot_be_decoded_at_all_is_damaged() -> None:
    with pytest.raises(DamagedError, match="cannot be decoded"):
        decode_jpeg(b"\xff\xd8\xff\xd9")


def test_padding_before_a_restart_marker_does_no_harm() -> None:
    """As Logitech's cameras send it: libjpeg warns of it, the picture is whole."""
    data = jpeg(5, cv2.IMWRITE_JPEG_RST_INTERVAL, 2)
    at = data.index(b"\xff\xd1")
    padded = data[:at] + b"\x00\x00" + data[at:]
    np.testing.assert_array_equal(decode_jpeg(padded), decode_jpeg(data))


def test_what_others_write_meanwhile_is_passed_on(capfd: pytest.CaptureFixture[str]) -> None:
    with decoder_warnings() as warnings:
        os.write(2, b"the driver says hello\nCorrupt JPEG data: bad Huffman code\n")
    assert warnings == ["Corrupt JPEG data: bad Huffman code"]
    assert capfd.readouterr().err == "the driver says hello\n"
    with decoder_warnings() as warnings:
        pass
    assert warnings == []


def test_descriptors_do_not_grow() -> None:
    require_linux()
    folder = Path("/proc/self/fd")
    decode_jpeg(jpeg(1))
    before = len(list(folder.iterdir()))
    for number in range(50):
        decode_jpeg(jpeg(number))
    assert len(list(folder.iterdir())) == before
