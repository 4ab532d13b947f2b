"""Photographs of the same scene: the groups that a split must not part."""

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from .appearance import Spectrum, correlations, match
from .near_duplicates import Pair, close_hashes

# Among 400 photographs of different things and 420 of different skin no two reach 0.38.
WHOLE, ELSEWHERE = 0.45, 0.25
# Up to so many images each is held against each; of more, only pairs whose hashes are not wholly
# different: half of the 64 bits differ by chance.
EACH_WITH_EACH = 3000
_HASH_BITS = 22

_AT_ONCE = 128


def find_scene_pairs(
    hashes: NDArray[np.uint8],
    pictures: Spectrum,
    *,
    advance: Callable[[int], object] | None = None,
) -> tuple[Pair, ...]:
    """Return the pairs of photographs that overlap, shifted and lit differently as they may be.

    Args:
        hashes: of shape (images, 8).
        pictures: spectra that keep the aspect ratio, of shape (images, 64, 33).
        advance: called with 1 after each image, for a progress bar.
    """
    at_most = 64 if len(hashes) <= EACH_WITH_EACH else _HASH_BITS

    def pairs_of(first: int, others: NDArray[np.intp]) -> list[Pair]:
        found = []
        for start in range(0, len(others), _AT_ONCE):
            some = others[start : start + _AT_ONCE]
            high = correlations(pictures[first], pictures[some]) >= WHOLE
            for second in some[high]:
                pair = Pair(first, int(second), match(pictures[first], pictures[second]))
                if pair.match.reaches(WHOLE, ELSEWHERE):
                    found.append(pair)
        return found

    pairs: list[Pair] = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        candidates = close_hashes(hashes, at_most=at_most)
        for found in pool.map(lambda each: pairs_of(*each), candidates):
            pairs += found
            if advance:
                advance(1)
    return tuple(pairs)


def components(count: int, links: Iterable[tuple[int, int]]) -> list[int]:
    """Return a number for each of `count` things, the same for those that links hold together.

    Numbers start at 0 and grow in the order of the things.
    """
    parent = list(range(count))

    def root(thing: int) -> int:
        while parent[thing] != thing:
            parent[thing] = parent[parent[thing]]
            thing = parent[thing]
        return thing

    for one, other in links:
        low, high = sorted((root(one), root(other)))
        parent[high] = low
    numbers: dict[int, int] = {}
    return [numbers.setdefault(root(thing), len(numbers)) for thing in range(count)]


def adjusted_rand_index(one: Sequence[object], other: Sequence[object]) -> float:
    """Return how far two groupings of the same things agree: 1 if wholly, about 0 by chance.

    L. Hubert and P. Arabie, Comparing partitions, Journal of Classification 2, 1985.
    """
    table: dict[tuple[object, object], int] = {}
    for pair in zip(one, other, strict=True):
        table[pair] = table.get(pair, 0) + 1
    rows: dict[object, int] = {}
    columns: dict[object, int] = {}
    for (row, column), number in table.items():
        rows[row] = rows.get(row, 0) + number
        columns[column] = columns.get(column, 0) + number
    both, of_one, of_other = (
        sum(number * (number - 1) / 2 for number in counts.values())
        for counts in (table, rows, columns)
    )
    pairs = len(one) * (len(one) - 1) / 2
    by_chance = of_one * of_other / pairs if pairs else 0.0
    highest = (of_one + of_other) / 2
    return (both - by_chance) / (highest - by_chance) if highest != by_chance else 1.0
