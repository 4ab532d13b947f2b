"""Image files come in as upright RGB pixels, or as an error that names the file."""

import pickle
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edgeclf.edge_runtime.images import ImageError, decode_image, is_image, read_image

Image = NDArray[np.uint8]

SOI, EOI = b"\xff\xd8", b"\xff\xd9"


def photograph(height: int = 48, width: int = 64) -> Image:
    coarse = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(coarse, (width, height)), np.uint8)


def encode(suffix: str, bgr: NDArray[np.generic], *flags: int) -> bytes:
    ok, data = cv2.imencode(suffix, bgr, flags)
    assert ok
    return data.tobytes()


def with_exif(jpeg: bytes, *, orientation: int = 1, thumbnail: bytes = b"") -> bytes:
    """Put an EXIF segment with one tag, and perhaps a thumbnail, in front of a JPEG."""
    tiff = b"II*\0" + struct.pack("<I", 8)
    tiff += struct.pack("<HHHIHHI", 1, 0x0112, 3, 1, orientation, 0, 26 if thumbnail else 0)
    if thumbnail:
        tiff += struct.pack("<H", 2)
        tiff += struct.pack("<HHII", 0x0201, 4, 1, 26 + 30)
        tiff += struct.pack("<HHII", 0x0202, 4, 1, len(thumbnail)) + struct.pack("<I", 0)
        tiff += thumbnail
    payload = b"Exif\0\0" + tiff
    return SOI + b"\xff\xe1" + struct.pack(">H", len(payload) + 2) + payload + jpeg[2:]


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".webp", ".jpg"])
def test_red_written_as_bgr_comes_back_red(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"rot ü{suffix}"
    path.write_bytes(encode(suffix, np.full((20, 30, 3), (0, 0, 255), np.uint8)))
    rgb = read_image(path)
    assert rgb.shape == (20, 30, 3)
    assert rgb.dtype == np.uint8
    np.testing.assert_allclose(rgb.reshape(-1, 3).astype(int), [[255, 0, 0]] * 600, atol=3)


def test_lossless_pixels_come_back_as_they_were() -> None:
    bgr = photograph()
    np.testing.assert_array_equal(decode_image(encode(".png", bgr), name="x"), bgr[..., ::-1])


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_grey_is_repeated(suffix: str) -> None:
    grey = photograph()[..., 0]
    rgb = decode_image(encode(suffix, grey), name="x")
    assert rgb.shape == (48, 64, 3)
    np.testing.assert_array_equal(rgb[..., 0], rgb[..., 1])
    np.testing.assert_array_equal(rgb[..., 0], rgb[..., 2])
    np.testing.assert_allclose(rgb[..., 0].astype(int), grey, atol=12)


def bmp_with_alpha(bgra: NDArray[np.uint8]) -> bytes:
    """Write a bitmap with masks of its channels, as OpenCV does since 4.13."""
    height, width = bgra.shape[:2]
    pixels = bgra[::-1].tobytes()
    file = struct.pack("<2sIHHI", b"BM", 138 + len(pixels), 0, 0, 138)
    sizes = struct.pack("<IiiHHIIiiII", 124, width, height, 1, 32, 3, len(pixels), 0, 0, 0, 0)
    masks = struct.pack("<4I4s", 0xFF0000, 0xFF00, 0xFF, 0xFF000000, b"BGRs")
    return file + sizes + masks + bytes(64) + pixels


@pytest.mark.parametrize("suffix", [".png", ".webp", ".tif", ".bmp"])
@pytest.mark.parametrize("alpha", [0, 64, 255])
def test_what_is_transparent_shows_white(suffix: str, alpha: int) -> None:
    bgra = np.dstack([photograph(), np.full((48, 64), alpha, np.uint8)])
    bgra[24:, :, 3] = 255
    lossless = (cv2.IMWRITE_WEBP_QUALITY, 101) if suffix == ".webp" else ()
    data = bmp_with_alpha(bgra) if suffix == ".bmp" else encode(suffix, bgra, *lossless)
    rgb = decode_image(data, name="x").astype(int)
    np.testing.assert_array_equal(rgb[24:], bgra[24:, :, 2::-1])
    expected = (bgra[:24, :, 2::-1].astype(float) * alpha + 255.0 * (255 - alpha)) / 255
    # WebP without loss may still change the colour of what nobody sees.
    np.testing.assert_allclose(rgb[:24], expected, atol=0.5)


def png(header: bytes, *chunks: tuple[bytes, bytes]) -> bytes:
    """Write a PNG of these parts, each with its right length and checksum."""
    parts = [(b"IHDR", header), *chunks, (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content)) + kind + content
        + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in parts
    )  # fmt: skip


def png_header(width: int, height: int, depth: int, colour: int) -> bytes:
    return struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)


@pytest.mark.parametrize(
    ("depth", "colour", "row", "chunks", "expected"),
    [
        (8, 4, b"\x40\x00\x40\xff", (), [255, 64]),
        (16, 4, b"\x40\x00\x00\x00\x40\x00\xff\xff", (), [255, 64]),
        (8, 3, b"\0\1", ((b"PLTE", b"\x40" * 6), (b"tRNS", b"\0\xff")), [255, 64]),
        (8, 0, b"\x40\x41", ((b"tRNS", b"\0\x40"),), [255, 65]),
        (4, 0, b"\x12", ((b"tRNS", b"\0\1"),), [255, 34]),
        (16, 0, b"\x40\0\x40\1", ((b"tRNS", b"\x40\0"),), [255, 64]),
        (8, 2, b"\x40\x40\x40\x41\x41\x41", ((b"tRNS", b"\0\x40" * 3),), [255, 65]),
    ],
    ids=["grey", "16 bits", "palette", "a grey", "a grey of 4 bits", "a grey of 16", "a colour"],
)
def test_all_ways_to_be_transparent_in_a_png(
    depth: int, colour: int, row: bytes, chunks: tuple[tuple[bytes, bytes], ...],
    expected: list[int],
) -> None:  # fmt: skip
    data = png(png_header(2, 1, depth, colour), *chunks, (b"IDAT", zlib.compress(b"\0" + row)))
    np.testing.assert_array_equal(decode_image(data, name="x")[0], [[e] * 3 for e in expected])


@pytest.mark.parametrize("orientation", range(1, 9))
def test_transparent_images_are_turned_as_others(orientation: int) -> None:
    bgra = np.dstack([photograph(), np.full((48, 64), 255, np.uint8)])
    tiff = b"MM\0*" + struct.pack(">IHHHIHH", 8, 1, 0x0112, 3, 1, orientation, 0)
    exif = struct.pack(">I", len(tiff)) + b"eXIf" + tiff
    exif += struct.pack(">I", zlib.crc32(exif[4:]))
    plain = encode(".png", bgra)
    at = plain.index(b"IDAT") - 4
    turned = decode_image(plain[:at] + exif + plain[at:], name="x")
    np.testing.assert_array_equal(turned, UPRIGHT[orientation](bgra[..., 2::-1]))


def test_16_bits_become_8() -> None:
    bgr = photograph()
    rgb = decode_image(encode(".png", bgr.astype(np.uint16) * 256), name="x")
    assert rgb.dtype == np.uint8
    np.testing.assert_array_equal(rgb, bgr[..., ::-1])


UPRIGHT: dict[int, Callable[[Image], Image]] = {
    1: lambda image: image,
    2: lambda image: image[:, ::-1],
    3: lambda image: image[::-1, ::-1],
    4: lambda image: image[::-1],
    5: lambda image: image.transpose(1, 0, 2),
    6: lambda image: np.rot90(image, -1),
    7: lambda image: image[::-1, ::-1].transpose(1, 0, 2),
    8: lambda image: np.rot90(image, 1),
}


@pytest.mark.parametrize("orientation", UPRIGHT)
def test_exif_orientation_is_applied(orientation: int) -> None:
    jpeg = encode(".jpg", photograph())
    turned = decode_image(with_exif(jpeg, orientation=orientation), name="x")
    np.testing.assert_array_equal(turned, UPRIGHT[orientation](decode_image(jpeg, name="x")))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "No such file"),
        (b"", "empty"),
        (b"These are no pixels. " * 20, "not an image"),
        (b"\xff", "not an image"),
        (bytes(4096), "not an image"),
    ],
    ids=["missing", "empty", "text", "one byte", "zeros"],
)
def test_what_is_no_image_is_named(tmp_path: Path, content: bytes | None, reason: str) -> None:
    path = tmp_path / "photo.jpg"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ImageError, match=reason) as caught:
        read_image(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_is_no_image(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="directory"):
        read_image(tmp_path)


@pytest.mark.parametrize("progressive", [0, 1])
@pytest.mark.parametrize("keep", [2, 3, 30, 0.3, 0.5, 0.8, 0.99, -1, -2])
def test_cut_jpeg_is_an_error(tmp_path: Path, keep: float, progressive: int) -> None:
    data = encode(".jpg", photograph(), cv2.IMWRITE_JPEG_PROGRESSIVE, progressive)
    path = tmp_path / "photo.jpg"
    path.write_bytes(data[: keep if isinstance(keep, int) else int(len(data) * keep)])
    with pytest.raises(ImageError, match="cut short") as caught:
        read_image(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("suffix", [".png", ".webp", ".tif", ".bmp"])
@pytest.mark.parametrize("keep", [5, 8, 20, 0.3, 0.6, 0.9, -12, -1])
def test_other_cut_files_are_errors(tmp_path: Path, keep: float, suffix: str) -> None:
    data = encode(suffix, photograph())
    path = tmp_path / f"photo{suffix}"
    path.write_bytes(data[: keep if isinstance(keep, int) else int(len(data) * keep)])
    with pytest.raises(ImageError) as caught:
        read_image(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("keep", [8, 0.3, 0.9, -12, -8])
def test_a_cut_png_is_called_so(keep: float) -> None:
    data = encode(".png", photograph())
    with pytest.raises(ImageError, match="cut short"):
        decode_image(data[: keep if isinstance(keep, int) else int(len(data) * keep)], name="x")


def test_the_end_of_a_thumbnail_is_not_the_end_of_the_photograph() -> None:
    thumbnail = encode(".jpg", photograph(12, 16))
    jpeg = encode(".jpg", photograph())
    data = with_exif(jpeg, thumbnail=thumbnail)
    np.testing.assert_array_equal(decode_image(data, name="x"), decode_image(jpeg, name="x"))

    behind_thumbnail = data.index(thumbnail) + len(thumbnail)
    for length in (behind_thumbnail, behind_thumbnail + 300, len(data) - 1):
        assert EOI in data[:length]
        with pytest.raises(ImageError, match="cut short"):
            decode_image(data[:length], name="x")


def test_a_progressive_jpeg_without_its_last_scan_is_cut_short() -> None:
    data = encode(".jpg", photograph(), cv2.IMWRITE_JPEG_PROGRESSIVE, 1)
    assert data.count(b"\xff\xda") > 1
    with pytest.raises(ImageError, match="cut short"):
        decode_image(data[: data.rindex(b"\xff\xda")], name="x")


@pytest.mark.parametrize(
    "trailer",
    [b"\0", b"\xff\xda" + bytes(50), b"\xff", b"\0\0\0\x18ftypmp42" + b"\xff\xda\xff\xd8" * 9],
    ids=["zero", "scan marker", "half a marker", "motion photo"],
)
def test_bytes_behind_a_whole_jpeg_do_no_harm(trailer: bytes) -> None:
    data = encode(".jpg", photograph())
    np.testing.assert_array_equal(
        decode_image(data + trailer, name="x"), decode_image(data, name="x")
    )


@pytest.mark.parametrize(
    ("flags", "marker"),
    [
        ((cv2.IMWRITE_JPEG_PROGRESSIVE, 1), b"\xff\xc2"),
        ((cv2.IMWRITE_JPEG_RST_INTERVAL, 2), b"\xff\xd3"),
        ((cv2.IMWRITE_JPEG_PROGRESSIVE, 1, cv2.IMWRITE_JPEG_RST_INTERVAL, 1), b"\xff\xd7"),
    ],
    ids=["progressive", "restart markers", "both"],
)
def test_other_whole_jpegs_are_read(flags: tuple[int, ...], marker: bytes) -> None:
    bgr = photograph()
    data = encode(".jpg", bgr, *flags)
    assert marker in data
    plain = decode_image(encode(".jpg", bgr), name="x")
    np.testing.assert_array_equal(decode_image(data, name="x"), plain)


def test_fill_bytes_before_a_marker_are_allowed() -> None:
    data = encode(".jpg", photograph())
    filled = data[:2] + b"\xff\xff" + data[2:]
    np.testing.assert_array_equal(decode_image(filled, name="x"), decode_image(data, name="x"))


@pytest.mark.parametrize(
    ("name", "expected"),
    [("a.jpg", True), ("A.JPEG", True), ("a.b.png", True), ("a.txt", False), ("jpg", False),
     (".a.jpg", False), ("._a.jpg", False), ("a.heic", False), ("a.JFIF", True), ("a.jpe", True),
     ("a.ppm", True), ("a.dib", True)],
)  # fmt: skip
def test_images_are_known_by_their_names(name: str, expected: bool) -> None:
    assert is_image(Path("folder") / name) is expected


def test_an_error_survives_a_process_pool() -> None:
    with pytest.raises(ImageError) as caught:
        decode_image(b"no image", name="x.jpg")
    again = pickle.loads(pickle.dumps(caught.value))
    assert (str(again), again.fault) == (str(caught.value), "unknown")


def test_any_bytes_are_decoded() -> None:
    data = encode(".png", photograph())
    for given in (bytearray(data), memoryview(data)):
        np.testing.assert_array_equal(decode_image(given), decode_image(data))
