"""Damaged and hostile files are named before a decoder allocates for them."""

import os
import resource
import struct
import subprocess
import sys
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edgeclf.edge_runtime.images import ImageError, decode_bgr, decode_image, memory, read_image
from edgeclf.edge_runtime.live.sources.capture import DamagedError
from edgeclf.edge_runtime.live.sources.jpeg import decode_jpeg
from edgeclf.edge_runtime.live.web.uploads import RefusedError, decode_photograph

PNG = b"\x89PNG\r\n\x1a\n"
SCAN = b"\xff\xda"


def picture(height: int = 96, width: int = 128) -> NDArray[np.uint8]:
    coarse = np.random.default_rng(0).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(coarse, (width, height)), np.uint8)


def encode(suffix: str, *flags: int, image: NDArray[np.generic] | None = None) -> bytes:
    data: bytes = cv2.imencode(suffix, picture() if image is None else image, flags)[1].tobytes()
    return data


def chunk(kind: bytes, content: bytes) -> bytes:
    return (
        struct.pack(">I", len(content)) + kind + content
        + struct.pack(">I", zlib.crc32(kind + content))
    )  # fmt: skip


def png_of(width: int, height: int, *chunks: bytes, depth: int = 8, colour: int = 2) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    return PNG + header + b"".join(chunks) + chunk(b"IEND", b"")


def jpeg_of(width: int, height: int) -> bytes:
    """A small JPEG whose header states another size."""
    data = bytearray(encode(".jpg", image=picture(16, 16)))
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack(">HH", height, width)
    return bytes(data)


def tiff_of(**tags: int) -> bytes:
    """A small uncompressed TIFF with some tags changed, by their names here."""
    numbers = {
        "width": 256, "height": 257, "bits": 258, "offset": 273, "samples": 277, "rows": 278,
        "length": 279,
    }  # fmt: skip
    data = bytearray(encode(".tif", cv2.IMWRITE_TIFF_COMPRESSION, 1, image=picture(16, 16)))
    (directory,) = struct.unpack_from("<I", data, 4)
    (entries,) = struct.unpack_from("<H", data, directory)
    for entry in range(directory + 2, directory + 2 + 12 * entries, 12):
        (tag,) = struct.unpack_from("<H", data, entry)
        for name, value in tags.items():
            if tag == numbers[name]:
                struct.pack_into("<HII", data, entry + 2, 4, 1, value)
    return bytes(data)


def refusals(data: bytes) -> set[str]:
    """What files, uploads and cameras say of `data`, which must be the same."""
    said = set()
    with pytest.raises(ImageError) as of_file:
        decode_image(data, name="photograph")
    said.add(of_file.value.reason)
    with pytest.raises(RefusedError) as of_upload:
        decode_photograph(data, pixels=10**19)
    said.add(str(of_upload.value).removeprefix("photograph: ").partition("; send")[0])
    with pytest.raises(DamagedError) as of_camera:
        decode_jpeg(data)
    said.add(str(of_camera.value).removeprefix("a frame that cannot be decoded: "))
    return said


DAMAGED = {
    "a chunk of 4 GB": png_of(8, 8)[:-12] + struct.pack(">I", 0xFFFFFFF0) + b"IDAT",
    "a text chunk of 2 GB": png_of(8, 8)[:-12] + struct.pack(">I", 1 << 31) + b"tEXt" + bytes(9),
    "a wrong checksum": encode(".png").replace(b"IEND\xae", b"IEND\xaf"),
    "a flipped bit in a png": encode(".png")[:200] + b"\x55" + encode(".png")[201:],
    "a png with two headers": png_of(8, 8, chunk(b"IHDR", bytes(13))),
    "a png without a picture": png_of(8, 8),
    "a short picture in whole chunks": png_of(8, 8, chunk(b"IDAT", zlib.compress(bytes(50)))),
    "a jpeg with an end marker too early": encode(".jpg")[: -(len(encode(".jpg")) // 3)]
    + b"\xff\xd9",
    "two jpegs in one": encode(".jpg")[:2] + encode(".jpg")[2:-2] + encode(".jpg")[2:],
    "a jpeg of many scans": encode(".jpg")[:-2]
    + encode(".jpg")[encode(".jpg").index(SCAN) : -2] * 101
    + b"\xff\xd9",
    "a webp that says it is longer": encode(".webp")[:4]
    + struct.pack("<I", 1 << 30)
    + encode(".webp")[8:],
    "a webp of two sizes": b"RIFF"
    + struct.pack("<I", len(encode(".webp")) + 10)
    + b"WEBPVP8X\x0a\0\0\0"
    + bytes(4)
    + b"\x0f\0\0\x0f\0\0"
    + encode(".webp")[12:],
    "a tiff whose strip is elsewhere": tiff_of(offset=1 << 20),
    "a tiff whose strip is in its header": tiff_of(offset=4),
    "a tiff whose strip is too small": tiff_of(length=8),
    "a tiff of many samples": tiff_of(samples=60_000),
    "a tiff without rows": tiff_of(rows=0),
    "a bmp without its pixels": encode(".bmp")[:1000],
    "a pnm without its pixels": b"P6\n1000 1000\n255\n" + bytes(99),
}


@pytest.mark.parametrize("data", DAMAGED.values(), ids=DAMAGED.keys())
def test_damage_is_named_alike_on_every_road(data: bytes) -> None:
    (said,) = refusals(data)
    assert said.startswith(("the image is damaged: ", "the image is cut short", "the image cannot"))
    assert "\n" not in said


@pytest.mark.parametrize("flags", [(1,), (5,), (8,), (32773,)], ids=["raw", "lzw", "zip", "bits"])
def test_whole_tiffs_of_each_compression_are_read(flags: tuple[int]) -> None:
    data = encode(".tif", cv2.IMWRITE_TIFF_COMPRESSION, *flags)
    np.testing.assert_array_equal(decode_bgr(data, name="x"), picture())


@pytest.mark.parametrize("compression", [5, 8], ids=["lzw", "zip"])
def test_a_hole_in_a_compressed_tiff_is_noticed(compression: int) -> None:
    if compression == 5 and not hasattr(cv2.utils, "logging"):
        pytest.skip("this OpenCV says nothing of it")
    data = encode(".tif", cv2.IMWRITE_TIFF_COMPRESSION, compression)
    for start in range(40, len(data) // 2, len(data) // 20):
        with pytest.raises(ImageError, match="the image is damaged: "):
            decode_image(data[:start] + bytes(64) + data[start + 64 :], name="x")


HUGE = {
    "png": png_of(30_000, 30_000, chunk(b"IDAT", zlib.compress(bytes(100)))),
    "jpeg": jpeg_of(65_500, 65_500),
    "tiff": tiff_of(width=40_000, height=40_000),
    "webp": b"RIFF\x64\0\0\0WEBPVP8X\x0a\0\0\0" + bytes(4) + b"\xff" * 6 + bytes(90),
    "bmp": b"BM" + bytes(8) + struct.pack("<IIiiHHIIIIII", 54, 40, 30_000, 30_000, 1, 24, *[0] * 6),
    "pnm": b"P5 40000 40000 255\n" + bytes(9),
    "png of a wide row": png_of(2**31 - 1, 1, chunk(b"IDAT", zlib.compress(bytes(100)))),
}


@pytest.mark.parametrize("data", HUGE.values(), ids=HUGE.keys())
def test_what_no_memory_holds_is_refused_by_its_header(data: bytes) -> None:
    (said,) = refusals(data)
    assert "at most 250 megapixels are decoded" in said


def test_hostile_files_take_no_memory(tmp_path: Path) -> None:
    """All of them in a process that may not grow beyond 500 MB."""
    for index, data in enumerate([*DAMAGED.values(), *HUGE.values()]):
        (tmp_path / f"{index}.png").write_bytes(data)
    program = (
        "import re, resource, sys\n"
        "from pathlib import Path\n"
        "from edgeclf.edge_runtime.images import ImageError, read_image\n"
        "for path in Path(sys.argv[1]).iterdir():\n"
        "    try:\n"
        "        read_image(path)\n"
        "    except ImageError:\n"
        "        continue\n"
        "    raise SystemExit(f'{path} was read')\n"
        "status = Path('/proc/self/status')\n"
        "if status.exists():\n"  # ru_maxrss counts the process that began this one, too
        "    print(re.search(r'VmHWM:\\s+(\\d+)', status.read_text())[1])\n"
        "else:\n"
        "    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    peak = int(done.stdout) * (1 if sys.platform == "darwin" else 1024)
    assert peak < 500_000_000


def test_the_limit_follows_the_memory_that_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    data = encode(".png", image=np.zeros((1200, 1600, 3), np.uint8))
    assert decode_bgr(data, name="x").shape == (1200, 1600, 3)
    monkeypatch.setattr(memory, "available_bytes", lambda: 40_000_000)
    with pytest.raises(ImageError, match=r"1600×1200 pixels take 31 MB .* 40 MB of memory") as said:
        decode_bgr(data, name="x")
    assert said.value.fault == "large"
    monkeypatch.setattr(memory, "available_bytes", lambda: None)
    assert decode_bgr(data, name="x").shape == (1200, 1600, 3)


def test_free_memory_is_the_least_of_machine_group_and_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in {
        "proc/meminfo": "MemTotal: 9000 kB\nMemAvailable:    8000 kB\n",
        "proc/self/cgroup": "0::/system.slice/edge.service\n",
        "proc/self/statm": "100 50 1\n",
        "sys/fs/cgroup/system.slice/memory.max": "max\n",
        "sys/fs/cgroup/system.slice/memory.current": "1\n",
        "sys/fs/cgroup/system.slice/edge.service/memory.max": "5000000\n",
        "sys/fs/cgroup/system.slice/edge.service/memory.current": "3000000\n",
        "sys/fs/cgroup/system.slice/edge.service/memory.stat": "anon 1\ninactive_file 500000\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    unlimited = resource.RLIM_INFINITY
    monkeypatch.setattr(memory.resource, "getrlimit", lambda _which: (unlimited, unlimited))
    assert memory.available_bytes(tmp_path) == 2_500_000
    (tmp_path / "proc/self/cgroup").write_text("")
    assert memory.available_bytes(tmp_path) == 8_192_000
    monkeypatch.setattr(memory.resource, "getrlimit", lambda _which: (2_000_000, unlimited))
    page = resource.getpagesize()
    assert memory.available_bytes(tmp_path) == max(0, 2_000_000 - 100 * page)
    assert memory.available_bytes(tmp_path / "nowhere") is None


def test_threads_do_not_take_the_damage_of_others() -> None:
    """libjpeg's warnings go to one descriptor: each image must get its own."""
    whole = encode(".jpg")
    damaged = whole[: len(whole) // 2] + b"\xff\xd9"
    start = threading.Barrier(4)

    def decode(number: int) -> bool:
        if number < 4:
            start.wait(30)
        try:
            decode_image(damaged if number % 3 == 0 else whole, name=str(number))
        except ImageError:
            return False
        return True

    with ThreadPoolExecutor(4) as threads:
        read = list(threads.map(decode, range(120)))
    assert read == [number % 3 != 0 for number in range(120)]


@pytest.mark.parametrize("kinds", [(b"tEXt",), (b"iCCP", b"zTXt"), (b"acTL", b"fcTL", b"fdAT")])
def test_what_a_png_carries_beside_its_picture_is_left_out(kinds: tuple[bytes, ...]) -> None:
    data = encode(".png")
    at = data.index(b"IDAT") - 4
    extra = b"".join(chunk(kind, bytes(40)) for kind in kinds)
    carrying = data[:at] + extra + data[at:]
    np.testing.assert_array_equal(decode_bgr(carrying, name="x"), picture())


def test_a_mask_is_black_where_it_is_transparent(tmp_path: Path) -> None:
    mask = np.full((4, 4, 4), 255, np.uint8)
    mask[:2, :, 3] = 0
    cv2.imwrite(str(tmp_path / "m.png"), mask)
    assert read_image(tmp_path / "m.png", background=0)[:, 0, 0].tolist() == [0, 0, 255, 255]
    assert read_image(tmp_path / "m.png")[:, 0, 0].tolist() == [255] * 4


def test_reading_works_with_a_closed_stderr_and_no_temporary_folder(tmp_path: Path) -> None:
    path = tmp_path / "x.jpg"
    path.write_bytes(encode(".jpg"))
    program = (
        "import sys\n"
        "from edgeclf.edge_runtime.images import read_image\n"
        "print(read_image(sys.argv[1]).shape)\n"
    )
    done = subprocess.run(
        ["sh", "-c", 'exec "$0" -c "$1" "$2" 2>&-', sys.executable, program, str(path)],
        capture_output=True, text=True, check=False, env=os.environ | {"TMPDIR": "/nowhere"},
    )  # fmt: skip
    assert done.stdout == "(96, 128, 3)\n"
    assert done.returncode == 0
