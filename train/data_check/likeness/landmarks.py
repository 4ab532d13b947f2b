"""Crops, zooms and turns of the same scene, by points that can be found again.

Points and their descriptors are SIFT (D. Lowe, 2004); pairs worth a closer look share visual words
(J. Sivic and A. Zisserman, Video Google, 2003). What the points say is believed only if the
pictures agree once one is laid onto the other.
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .appearance import Grey, Match, match, spectrum
from .near_duplicates import Pair
from .scenes import ELSEWHERE, WHOLE

_LONGEST = 160  # pixels: larger photographs are made so small
_POINTS = 128
_CONTRAST = 0.02  # half of OpenCV's: surfaces are smooth
_WORDS = 1024
_NEIGHBOURS = 10  # photographs that are looked at for each

_FEWEST_POINTS = 8  # that agree on how one picture lies on the other
_RATIO = 0.85  # of the distance to the best point and to the second, at most
_OFF = 3.0  # pixels
_ZOOM = 3.0
_OVERLAP = 0.25  # of the smaller picture


@dataclass(frozen=True)
class Landmarks:
    """The points of a photograph that can be found again.

    Attributes:
        grey: the photograph, its longer side 160 pixels at most.
        points: float32 of shape (points, 2), x and y in pixels.
        descriptors: float32 of shape (points, 128), each of length 1.
    """

    grey: Grey
    points: NDArray[np.float32]
    descriptors: NDArray[np.float32]


def find_landmarks(grey: Grey) -> Landmarks:
    """Return up to 128 points of a photograph."""
    factor = min(1.0, _LONGEST / max(grey.shape))
    size = max(1, round(grey.shape[1] * factor)), max(1, round(grey.shape[0] * factor))
    small = np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.uint8)
    sift = cv2.SIFT_create(nfeatures=_POINTS, contrastThreshold=_CONTRAST)  # type: ignore[attr-defined]
    found, descriptors = sift.detectAndCompute(small, None)
    if descriptors is None:
        descriptors = np.empty((0, 128), np.float32)
    # RootSIFT: R. Arandjelović and A. Zisserman, Three things everyone should know, 2012.
    sums = descriptors.sum(1, keepdims=True)
    return Landmarks(
        grey=small,
        points=np.asarray([point.pt for point in found], np.float32).reshape(-1, 2),
        descriptors=np.sqrt(descriptors / np.maximum(sums, 1e-6)).astype(np.float32),
    )


def likely_pairs(landmarks: Sequence[Landmarks], known: Sequence[int]) -> list[tuple[int, int]]:
    """Return the pairs that are worth a closer look.

    Args:
        landmarks: of each photograph.
        known: the scene of each as far as it is known; pairs within one are left out.
    """
    pairs = {
        (min(one, other), max(one, other))
        for one, others in enumerate(_neighbours(landmarks))
        for other in others
        if known[one] != known[other]
    }
    return sorted(pairs)


def find_overlaps(
    landmarks: Sequence[Landmarks],
    candidates: Sequence[tuple[int, int]],
    *,
    advance: Callable[[int], object] | None = None,
) -> tuple[Pair, ...]:
    """Return those of the pairs of which one shows a part of the other, larger, smaller or turned.

    Args:
        landmarks: of each photograph.
        candidates: pairs of places, the lower one first.
        advance: called with 1 after each pair, for a progress bar.
    """

    def laid(candidate: tuple[int, int]) -> Pair | None:
        first, second = candidate
        found = overlap(landmarks[first], landmarks[second])
        agrees = found is not None and found.reaches(WHOLE, ELSEWHERE)
        return Pair(first, second, found) if found and agrees else None

    pairs = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for pair in pool.map(laid, candidates):
            pairs += [pair] if pair else []
            if advance:
                advance(1)
    return tuple(pairs)


def overlap(one: Landmarks, other: Landmarks) -> Match | None:
    """Lay one photograph onto the other and hold the common part together; None if none is."""
    if min(len(one.points), len(other.points)) < _FEWEST_POINTS:
        return None
    # NumPy's product would wake a thread for each core, thousands of times a second.
    nothing = np.empty((0, 0), np.float32)
    likeness = cv2.gemm(one.descriptors, other.descriptors, 1, nothing, 0, flags=cv2.GEMM_2_T)
    best, back = likeness.argmax(1), likeness.argmax(0)
    second, first = np.partition(likeness, -2, axis=1)[:, -2:].T
    mutual = back[best] == np.arange(len(best))
    # Distances of vectors of length 1, squared and halved.
    clear = np.flatnonzero(mutual & (1 - first < _RATIO**2 * (1 - second)))
    if len(clear) < _FEWEST_POINTS:
        return None
    matrix, inliers = cv2.estimateAffinePartial2D(
        one.points[clear], other.points[best[clear]], ransacReprojThreshold=_OFF, maxIters=500
    )
    if matrix is None or inliers.sum() < _FEWEST_POINTS:
        return None
    zoom = float(np.hypot(*matrix[:, 0]))
    if not 1 / _ZOOM <= zoom <= _ZOOM:
        return None
    height, width = other.grey.shape
    laid = cv2.warpAffine(one.grey, matrix, (width, height), flags=cv2.INTER_LINEAR)
    seen = cv2.warpAffine(np.ones_like(one.grey), matrix, (width, height), flags=cv2.INTER_NEAREST)
    smaller = min(one.grey.size * zoom * zoom, other.grey.size)
    if seen.sum() < _OVERLAP * smaller:
        return None
    left, top, columns, rows = cv2.boundingRect(seen)
    part = np.s_[top : top + rows, left : left + columns]
    # Beyond the border of a picture that was turned, both are made alike.
    held = np.where(seen[part] > 0, other.grey[part], 0).astype(np.uint8)
    return match(
        spectrum(np.asarray(laid[part], np.uint8), keep_aspect=True),
        spectrum(held, keep_aspect=True),
    )


def _neighbours(landmarks: Sequence[Landmarks]) -> list[list[int]]:
    """Return for each photograph those that share most of its rare words."""
    if not any(len(each.descriptors) for each in landmarks):
        return [[] for _ in landmarks]
    every = np.concatenate([each.descriptors for each in landmarks])
    rng = np.random.default_rng(0)
    # Descriptors drawn at random serve as words as well as cluster centres do, and cost nothing.
    words = every[rng.choice(len(every), min(_WORDS, len(every)), replace=False)]
    counts = np.zeros((len(landmarks), len(words)), np.float32)
    for place, each in enumerate(landmarks):
        np.add.at(counts[place], (each.descriptors @ words.T).argmax(1), 1)
    rarity = np.log(len(landmarks) / np.maximum((counts > 0).sum(0), 1))
    weights = np.sqrt(counts) * rarity.astype(np.float32)
    weights /= np.maximum(np.linalg.norm(weights, axis=1, keepdims=True), 1e-6)
    most = min(_NEIGHBOURS, len(landmarks) - 1)
    found = []
    for place, row in enumerate(weights):
        likeness = weights @ row
        likeness[place] = -1
        found.append(np.argsort(-likeness, kind="stable")[:most].tolist())
    return found
