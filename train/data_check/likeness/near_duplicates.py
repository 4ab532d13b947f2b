"""Pictures that are the same but for compression, size, light or a pixel at the border."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .appearance import Match, Spectrum, match, perceptual_hash, spectrum

# Bits of 64. Copies that were saved anew at quality 30, halved or darkened differ by 0 to 4,
# lightened and clipped ones by up to 12; photographs of different things by 16 and more.
HASH_BITS = 12
WHOLE, ELSEWHERE = 0.5, 0.3

_ONES = np.unpackbits(np.arange(256, dtype=np.uint8)[:, np.newaxis], axis=1).sum(1, dtype=np.uint8)


@dataclass(frozen=True)
class Pair:
    """Two photographs that show the same.

    Attributes:
        first: place of the one among all.
        second: place of the other, which is higher.
        match: how alike they are.
    """

    first: int
    second: int
    match: Match


def find_near_duplicates(hashes: NDArray[np.uint8], squares: Spectrum) -> tuple[Pair, ...]:
    """Return the pairs whose hashes are close and whose pictures are indeed the same.

    Args:
        hashes: of shape (images, 8).
        squares: spectra of the pictures, stretched to a square; of shape (images, 64, 33).
    """
    pairs = []
    for first, close in close_hashes(hashes, at_most=HASH_BITS):
        for second in close:
            found = match(squares[first], squares[second])
            if found.reaches(WHOLE, ELSEWHERE):
                pairs.append(Pair(first, int(second), found))
    return tuple(pairs)


def near_duplicates_of(
    pixels: Iterable[NDArray[np.uint8]], *, advance: Callable[[int], object] | None = None
) -> tuple[Pair, ...]:
    """Return the near-duplicates among images that are loaded, each uint8 (height, width, 3)."""
    hashes, squares = [], []
    for rgb in pixels:
        grey = np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), np.uint8)
        hashes.append(perceptual_hash(grey))
        squares.append(spectrum(grey, keep_aspect=False))
        if advance:
            advance(1)
    return find_near_duplicates(np.asarray(hashes), np.asarray(squares)) if hashes else ()


def close_hashes(
    hashes: NDArray[np.uint8], *, at_most: int
) -> Iterator[tuple[int, NDArray[np.intp]]]:
    """Yield each image with those after it whose hashes differ in `at_most` bits."""
    for first in range(len(hashes)):
        bits = _ONES[hashes[first + 1 :] ^ hashes[first]].sum(1)
        yield first, np.flatnonzero(bits <= at_most) + first + 1
