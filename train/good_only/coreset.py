"""A few vectors that stand for many: a coreset by the greedy choice of centres.

PatchCore's choice (Roth et al. 2022): the next one is always that which lies farthest from all that
are chosen, which is at most twice as far as the best choice could be (Gonzalez 1985, k-center).
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


def greedy_coreset(vectors: Floats, count: int, *, seed: int) -> NDArray[np.intp]:
    """Return the places of at most `count` of `vectors`, in the order in which they are chosen.

    Args:
        vectors: of shape (vectors, dimensions).
        count: how many to choose; fewer where no other vector is left.
        seed: of the first one.
    """
    chosen = [int(np.random.default_rng(seed).integers(len(vectors)))]
    squares = np.square(vectors).sum(1)
    nearest = np.full(len(vectors), np.inf, np.float32)
    while len(chosen) < min(count, len(vectors)):
        last = chosen[-1]
        squared = squares - 2 * (vectors @ vectors[last]) + squares[last]
        nearest = np.minimum(nearest, squared)
        nearest[last] = -np.inf
        chosen.append(int(nearest.argmax()))
    return np.asarray(chosen, np.intp)
