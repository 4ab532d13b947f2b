"""How many damaged images no check can see, and what the others cost: mutated files, decoded.

python -m edgeclf.benchmarks.lab.mutated_images png 10000
"""

import argparse
import resource
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ...edge_runtime.images import ImageError, decode_bgr, decode_image, read_image
from ...edge_runtime.live.sources.capture import DamagedError
from ...edge_runtime.live.sources.jpeg import decode_jpeg
from ...edge_runtime.live.web.uploads import RefusedError, decode_photograph
from ...edge_runtime.quiet import quiet_opencv

_LIMIT_BYTES = 1 << 30
_UPLOAD_PIXELS = 50_000_000
_HEAD_BYTES = 700
_FILE_EVERY = 10  # a file takes the road of an upload, but for the disk

_JPEG: list[tuple[int, ...]] = [
    (),
    (cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
    (cv2.IMWRITE_JPEG_RST_INTERVAL, 4),
    (cv2.IMWRITE_JPEG_OPTIMIZE, 1),
]
_ENCODINGS: dict[str, Sequence[tuple[tuple[int, ...], int]]] = {
    "jpg": [(flags, 3) for flags in _JPEG] + [((), 1)],
    "png": [((), 3), ((), 4), ((), 1)],
    "webp": [((cv2.IMWRITE_WEBP_QUALITY, q), c) for q in (80, 101) for c in (3, 4)],
    "tiff": [((cv2.IMWRITE_TIFF_COMPRESSION, c), 3) for c in (1, 5, 8, 32773)] + [((), 4)],
}


@dataclass(frozen=True)
class _Whole:
    data: bytes
    rgb: NDArray[np.uint8]


def main() -> None:
    """Print one line of counts, memory and time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("format", choices=_ENCODINGS)
    parser.add_argument("number", type=int)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (_LIMIT_BYTES, _LIMIT_BYTES))
    quiet_opencv()
    rng = np.random.default_rng(asked.seed)
    wholes = list(_wholes(asked.format, rng))
    outcomes: Counter[str] = Counter()
    slowest = 0.0
    with tempfile.TemporaryDirectory() as folder:
        for index in range(asked.number):
            whole = wholes[index % len(wholes)]
            start = time.perf_counter()
            file = Path(folder) / "x" if index % _FILE_EVERY == 0 else None
            outcomes[_outcome(whole, _mutated(whole.data, rng), file=file)] += 1
            slowest = max(slowest, time.perf_counter() - start)
    harmed = outcomes["refused"] + outcomes["unseen"]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{asked.format}: {asked.number} files, {dict(outcomes)}; unseen of what was harmed "
        f"{outcomes['unseen'] / harmed:.1%}; peak {peak:.0f} MB, slowest {slowest:.2f} s"
    )


def _wholes(kind: str, rng: np.random.Generator) -> Iterator[_Whole]:
    for flags, channels in _ENCODINGS[kind]:
        coarse = rng.integers(0, 256, (12, 16, channels), dtype=np.uint8)
        data = cv2.imencode(f".{kind}", cv2.resize(coarse, (128, 96)), flags)[1].tobytes()
        yield _Whole(data, decode_image(data, name="whole"))


def _mutated(data: bytes, rng: np.random.Generator) -> bytes:
    """Flip, set, zero, draw, remove, insert, cut, state or copy some bytes, half in the header."""
    changed = bytearray(data)
    within = len(data) if rng.random() < 0.5 else min(len(data), _HEAD_BYTES)
    at, length = int(rng.integers(within)), int(rng.integers(1, 64))
    part = slice(at, at + length)
    how = rng.integers(9)
    if how == 0:
        changed[at] ^= 1 << int(rng.integers(8))
    elif how == 1:
        changed[at] = int(rng.integers(256))
    elif how == 2:
        changed[part] = bytes(len(changed[part]))
    elif how == 3:
        changed[part] = rng.bytes(len(changed[part]))
    elif how == 4:
        del changed[part]
    elif how == 5:
        changed[at:at] = rng.bytes(length)
    elif how == 6:
        del changed[int(rng.integers(len(data))) :]
    elif how == 7:
        value = int(rng.choice([0, 1, 30_000, 0x7FFF_FFFF, 0xFFFF_FFFF]))
        changed[at : at + 4] = value.to_bytes(4, "big" if rng.random() < 0.5 else "little")
    else:
        other = int(rng.integers(len(data)))
        changed[part] = data[other : other + length]
    return bytes(changed)


def _outcome(whole: _Whole, data: bytes, *, file: Path | None) -> str:
    """Decode as an upload, a frame and perhaps a file, which must agree."""
    found = {_read(whole, data, "upload"), _read(whole, data, "any")}
    if whole.data.startswith(b"\xff\xd8"):
        found.add(_read(whole, data, "frame"))
    if file is not None:
        file.write_bytes(data)
        found.add(_read(whole, data, "file", file))
    if len(found) > 1:
        raise AssertionError(f"the roads differ: {found}")
    return found.pop()


def _read(whole: _Whole, data: bytes, road: str, file: Path | None = None) -> str:
    try:
        if road == "upload":
            rgb = decode_photograph(data, pixels=_UPLOAD_PIXELS)
        elif road == "frame":
            rgb = decode_jpeg(data)[..., ::-1]
        elif file is not None:
            rgb = read_image(file)
        else:
            rgb = decode_bgr(data, name="image")[..., ::-1]
    except (ImageError, RefusedError, DamagedError):
        return "refused"
    return "harmless" if np.array_equal(rgb, whole.rgb) else "unseen"


if __name__ == "__main__":
    main()
