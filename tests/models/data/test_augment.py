"""Augmentation: seeded, within its bounds, and what each option says."""

import numpy as np

from edgeclf.models.data.augment import AugmentConfig, augment

STILL = AugmentConfig(rotation=0, zoom=0, flip="none", brightness=0)


def photograph() -> np.ndarray:
    return np.random.default_rng(0).integers(40, 200, (24, 32, 3), np.uint8)


def outcomes(config: AugmentConfig) -> set[bytes]:
    rng = np.random.default_rng(1)
    return {augment(photograph(), config, rng).tobytes() for _ in range(40)}


def test_nothing_to_change_changes_nothing() -> None:
    assert outcomes(STILL) == {photograph().tobytes()}


def test_flips_are_exactly_the_mirrored_images() -> None:
    image = photograph()
    horizontal = AugmentConfig(rotation=0, zoom=0, flip="horizontal", brightness=0)
    assert outcomes(horizontal) == {image.tobytes(), image[:, ::-1].tobytes()}
    both = AugmentConfig(rotation=0, zoom=0, flip="both", brightness=0)
    mirrored = (image, image[:, ::-1], image[::-1], image[::-1, ::-1])
    assert outcomes(both) == {one.tobytes() for one in mirrored}


def test_brightness_shifts_all_pixels_alike_and_within_its_share() -> None:
    config = AugmentConfig(rotation=0, zoom=0, flip="none", brightness=0.1)
    rng = np.random.default_rng(2)
    for _ in range(20):
        shift = augment(photograph(), config, rng).astype(int) - photograph()
        assert np.ptp(shift) <= 1
        assert abs(shift).max() <= 26


def test_rotation_uncovers_no_black_corner() -> None:
    config = AugmentConfig(rotation=45, zoom=0.1, flip="both", brightness=0)
    rng = np.random.default_rng(3)
    assert all(augment(photograph(), config, rng).min() >= 40 for _ in range(20))


def test_the_generator_decides() -> None:
    config = AugmentConfig()
    first, again, other = (
        augment(photograph(), config, np.random.default_rng(seed)) for seed in (5, 5, 6)
    )
    assert (first == again).all()
    assert (first != other).any()
