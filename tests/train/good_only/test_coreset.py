"""The greedy coreset against its definition and its bound."""

import numpy as np
import pytest

from edgeclf.train.good_only.coreset import greedy_coreset


def _distances(some: np.ndarray, others: np.ndarray) -> np.ndarray:
    return np.linalg.norm(some[:, np.newaxis] - others, axis=2)


@pytest.fixture(scope="module")
def vectors() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(120, 5)).astype(np.float32)


def test_each_choice_is_the_farthest_from_those_before(vectors: np.ndarray) -> None:
    chosen = greedy_coreset(vectors, 20, seed=1)
    distances = _distances(vectors, vectors)
    for place in range(1, 20):
        nearest = distances[:, chosen[:place]].min(1)
        assert nearest[chosen[place]] == pytest.approx(nearest.max(), rel=1e-4)


def test_it_covers_better_than_a_random_choice(vectors: np.ndarray) -> None:
    def radius(places: np.ndarray) -> float:
        return float(_distances(vectors, vectors[places]).min(1).max())

    random = np.random.default_rng(2).permutation(len(vectors))[:20]
    assert radius(greedy_coreset(vectors, 20, seed=1)) < radius(random)


def test_no_vector_is_chosen_twice_and_never_more_than_there_are(vectors: np.ndarray) -> None:
    twins = np.concatenate([vectors[:4], vectors[:4]])
    chosen = greedy_coreset(twins, 100, seed=0)
    assert sorted(chosen) == list(range(8))


def test_the_same_seed_gives_the_same_choice(vectors: np.ndarray) -> None:
    first, again = (greedy_coreset(vectors, 10, seed=3) for _ in range(2))
    assert first.tolist() == again.tolist()
