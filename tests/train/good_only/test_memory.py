"""The memory of good patches and its threshold, on drawn features."""

import numpy as np
import pytest

from edgeclf.models.networks.patch_memory import PatchMemory
from edgeclf.train.good_only.memory import HeldOut, distance_map, fit_memory

ROWS, CHANNELS, IMAGES = 4, 12, 40


@pytest.fixture(scope="module")
def drawn() -> np.ndarray:
    """Features of good images: a few kinds of patches, of channels that differ in width."""
    rng = np.random.default_rng(0)
    kinds = rng.normal(size=(6, CHANNELS)) * np.geomspace(0.01, 10, CHANNELS)
    noise = (
        0.05 * rng.normal(size=(IMAGES, ROWS, ROWS, CHANNELS)) * np.geomspace(0.01, 10, CHANNELS)
    )
    return (kinds[rng.integers(6, size=(IMAGES, ROWS, ROWS))] + noise).astype(np.float32)


@pytest.fixture(scope="module")
def fitted(drawn: np.ndarray) -> tuple[PatchMemory, HeldOut]:
    return _fit(drawn)


def _fit(drawn: np.ndarray, **changed: object) -> tuple[PatchMemory, HeldOut]:
    options: dict = {
        "train": np.arange(30), "val": np.arange(30, IMAGES), "groups": np.arange(IMAGES),
        "dimensions": 8, "patches": 128, "false_defect": 0.05, "seed": 0,
    } | changed  # fmt: skip
    return fit_memory(lambda places: drawn[places], **options)


def _unit(memory: PatchMemory, features: np.ndarray) -> np.ndarray:
    projected = features @ memory.kernel + memory.bias
    joined = np.pad(projected, ((0, 0), (0, 0), (0, 1)), constant_values=memory.constant)
    return joined / np.linalg.norm(joined, axis=-1, keepdims=True)


def _anomaly(memory: PatchMemory, features: np.ndarray) -> float:
    """How far the farthest place is, in its threshold."""
    distances = distance_map(_unit(memory, features), memory.patches)
    return float((distances / memory.thresholds).max())


def test_the_distance_is_half_the_squared_one_of_the_nearest_neighbour(
    drawn: np.ndarray, fitted: tuple[PatchMemory, HeldOut]
) -> None:
    memory, _ = fitted
    for image in drawn[30:34]:
        unit = _unit(memory, image)
        apart = np.square(unit[:, :, np.newaxis] - memory.patches).sum(3).min(2) / 2
        found = distance_map(unit, memory.patches)
        assert found[0, 0] == pytest.approx(apart[:2, :2].mean(), rel=1e-3, abs=1e-5)
        assert found[1, 2] == pytest.approx(apart[:3, 1:].mean(), rel=1e-3, abs=1e-5)


def test_the_memory_holds_vectors_of_length_1_of_the_size_asked_for(
    fitted: tuple[PatchMemory, HeldOut],
) -> None:
    memory, _ = fitted
    assert memory.patches.shape == (128, 9)
    np.testing.assert_allclose(np.linalg.norm(memory.patches, axis=1), 1, rtol=1e-5)


def test_few_patches_fill_the_memory_twice(drawn: np.ndarray) -> None:
    memory, _ = _fit(drawn, train=np.arange(4), val=np.arange(4, 8), patches=256)
    assert len(memory.patches) == 256
    assert len(np.unique(memory.patches, axis=0)) == 4 * ROWS * ROWS


def test_held_out_good_images_are_defects_as_rarely_as_asked(
    fitted: tuple[PatchMemory, HeldOut],
) -> None:
    _, held_out = fitted
    assert (held_out.images, held_out.groups) == (IMAGES, IMAGES)
    assert held_out.defects.value <= 0.05


def test_a_strange_patch_is_beyond_the_threshold_and_good_ones_are_within(
    drawn: np.ndarray, fitted: tuple[PatchMemory, HeldOut]
) -> None:
    memory, _ = fitted
    strange = drawn[35].copy()
    strange[2, 1] += 3 * drawn.std((0, 1, 2))
    assert _anomaly(memory, strange) > 1 > _anomaly(memory, drawn[35])


def test_a_larger_share_of_false_defects_lowers_the_threshold(drawn: np.ndarray) -> None:
    strict, loose = (_fit(drawn, false_defect=share)[0].thresholds.mean() for share in (0.01, 0.3))
    assert loose < strict


def test_a_group_is_measured_without_its_own_images(drawn: np.ndarray) -> None:
    """Twins of each image in its group must not make the threshold tight."""
    twins = np.repeat(drawn[:15], 2, axis=0)
    val = np.arange(30, 40)
    both = np.concatenate([twins, drawn[30:]])
    groups = np.concatenate([np.repeat(np.arange(15), 2), np.arange(30, 40)])
    grouped, _ = _fit(both, groups=groups, val=val)
    alone, _ = _fit(both, val=val)
    assert grouped.thresholds.mean() >= alone.thresholds.mean()


def test_images_that_never_vary_leave_finite_numbers() -> None:
    memory, _ = _fit(np.ones((IMAGES, ROWS, ROWS, CHANNELS), np.float32))
    assert all(np.isfinite(array).all() for array in (memory.kernel, memory.bias, memory.patches))
    assert np.isfinite(memory.thresholds).all()
    assert (memory.thresholds > 0).all()


def test_a_place_that_varies_more_has_a_higher_threshold(drawn: np.ndarray) -> None:
    restless = drawn.copy()
    restless[:, 0, 0] += np.random.default_rng(1).normal(size=(IMAGES, CHANNELS))
    thresholds = _fit(restless)[0].thresholds
    assert thresholds[0, 0] == thresholds.max() > 1.2 * thresholds[3, 3]
