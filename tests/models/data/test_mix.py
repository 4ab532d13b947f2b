"""Mixup, CutMix and RandAugment, and balanced sampling: what they do to arrays."""

import keras
import numpy as np
import pytest

from edgeclf.models.data.augment import AugmentConfig, augment
from edgeclf.models.data.batches import TrainBatches
from edgeclf.models.data.examples import Split, draw_order
from edgeclf.models.data.mix import Batch, MixConfig, mix_batch
from edgeclf.models.data.randaugment import POLICY, apply_policy

EACH = np.arange(6)


def batch() -> Batch:
    """Six images of one value each, 0, 40 .. 200, of three classes, with weights 1 to 6."""
    images = np.ones((6, 10, 8, 3), np.float32) * 40 * EACH.reshape(6, 1, 1, 1)
    return images, np.eye(3, dtype=np.float32)[EACH % 3], (1 + EACH).astype(np.float32)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_mixup_adds_two_images_up_and_their_weighted_targets() -> None:
    images, _, weights = batch()
    mixed, blended, total = mix_batch(batch(), MixConfig(mixup=0.4), rng())
    assert mixed.dtype == blended.dtype == total.dtype == np.float32
    other = rng().permutation(6)
    share = (mixed[:, 0, 0, 0] - images[other, 0, 0, 0])[other != EACH]
    share = share / (images - images[other])[other != EACH, 0, 0, 0]
    assert 0 < share[0] < 1
    np.testing.assert_allclose(share, share[0], rtol=1e-4)
    np.testing.assert_allclose(mixed, mixed[:, :1, :1, :1] * np.ones((1, 10, 8, 3)), rtol=1e-6)
    # The loss of the blend is the sum of the two images' own losses.
    scores = rng(1).dirichlet(np.ones(3), 6).astype(np.float32)
    own = -np.log(scores[EACH, EACH % 3])
    others = -np.log(scores[EACH, other % 3])
    expected = share[0] * weights * own + (1 - share[0]) * weights[other] * others
    loss = keras.losses.categorical_crossentropy(blended, scores)
    np.testing.assert_allclose(total * np.asarray(loss), expected, rtol=1e-4)
    np.testing.assert_allclose(blended.sum(1), 1, rtol=1e-6)


def test_cutmix_puts_a_box_of_another_image_into_each() -> None:
    for seed in range(20):
        images, targets, _ = batch()
        weights = np.ones(6, np.float32)
        mixed, blended, _ = mix_batch((images, targets, weights), MixConfig(cutmix=1), rng(seed))
        other = rng(seed).permutation(6)
        cut = (mixed != images).any((0, 3))
        rows, columns = np.flatnonzero(cut.any(1)), np.flatnonzero(cut.any(0))
        assert cut.sum() == len(rows) * len(columns)  # a box
        assert (mixed[:, ~cut] == images[:, ~cut]).all()
        assert (mixed[:, cut] == images[other][:, cut]).all()
        left = 1 - cut.mean()
        expected = left * targets + (1 - left) * targets[other]
        np.testing.assert_allclose(blended, expected, atol=1e-6)


def test_both_take_turns_and_neither_changes_nothing() -> None:
    both = MixConfig(mixup=1, cutmix=1)
    images = batch()[0]
    uniform = [
        bool((mixed == mixed[:, :1, :1]).all())
        for mixed in (mix_batch(batch(), both, rng(seed))[0] for seed in range(40))
        if (mixed != images).any()
    ]
    assert 10 < sum(uniform) < 30
    for before, after in zip(batch(), mix_batch(batch(), MixConfig(), rng()), strict=True):
        np.testing.assert_array_equal(before, after)


def photograph() -> np.ndarray:
    rows, columns = np.mgrid[:48, :48]
    light = 60 + 2 * columns + rows + 10 * np.sin(rows)
    return np.stack([light, 0.8 * light, 200 - light / 2], -1).astype(np.uint8)


@pytest.mark.parametrize("name", POLICY)
def test_each_operation_does_more_at_a_higher_level(name: str) -> None:
    before = photograph()

    def change(level: float) -> float:
        after = POLICY[name](before.copy(), level)
        assert after.dtype == np.uint8
        assert after.shape == before.shape
        return float(np.abs(after.astype(int) - before).mean())

    if name == "identity":
        assert change(1) == 0
    elif name in ("autocontrast", "equalize"):
        assert change(0.1) == change(-1) > 5
    else:
        for side in (1, -1):
            assert change(0) <= change(0.3 * side) < change(side)
            assert change(0) == pytest.approx(0, abs=0.2)


def test_operations_by_name() -> None:
    image = photograph()
    brighter, darker = (POLICY["brightness"](image, level).mean() for level in (0.2, -0.2))
    assert darker < image.mean() < brighter
    grey = POLICY["color"](image, -1)
    assert np.ptp(grey.astype(int), axis=-1).max() < np.ptp(image.astype(int), axis=-1).max() / 5
    assert set(np.unique(POLICY["posterize"](image, 1))) <= set(range(0, 256, 16))
    stretched = POLICY["autocontrast"](image, 0)
    assert (stretched.min((0, 1)) == 0).all()
    assert (stretched.max((0, 1)) == 255).all()
    right = POLICY["translate-x"](image, 6 / (0.45 * 48))
    np.testing.assert_array_equal(right[:, 6:], image[:, :-6])
    dot = np.zeros((48, 48, 3), np.uint8)
    dot[20:28, 12:16] = 255  # 10 pixels left of the middle
    turned = np.argwhere(POLICY["rotate"](dot, 1)[..., 0] > 127)
    np.testing.assert_allclose(turned.mean(0), [23.5 - 10 / 2, 23.5 - 10 * 0.866], atol=0.5)


def test_the_policy_is_off_unless_asked_for_and_seeded() -> None:
    image, plain = photograph(), AugmentConfig()
    more = AugmentConfig(operations=2, magnitude=0.5)
    base = augment(image, plain, rng(3))
    again = [augment(image, more, rng(3)) for _ in range(2)]
    np.testing.assert_array_equal(again[0], again[1])
    after = rng(3)
    np.testing.assert_array_equal(augment(image, plain, after), base)
    np.testing.assert_array_equal(
        again[0], apply_policy(base, operations=2, magnitude=0.5, rng=after)
    )
    assert any((augment(image, more, rng(s)) != augment(image, plain, rng(s))).any() for s in EACH)


CLASSES = np.array([0] * 12 + [1] * 5 + [2])


def test_balanced_sampling_shows_each_class_equally_often() -> None:
    order = draw_order(CLASSES, sampling="balanced", rng=rng())
    assert np.bincount(CLASSES[order]).tolist() == [6, 6, 6]
    shown = np.bincount(order, minlength=18)
    assert shown[:12].max() == 1
    assert sorted(shown[12:17]) == [1, 1, 1, 1, 2]
    assert shown[17] == 6
    assert (order != draw_order(CLASSES, sampling="balanced", rng=rng(1))).any()
    assert sorted(draw_order(CLASSES, sampling="shuffled", rng=rng())) == list(range(18))


def train_batches(**options) -> TrainBatches:
    pixels = np.stack([photograph() + np.uint8(index) for index in range(18)])
    still = AugmentConfig(rotation=0, zoom=0, flip="none", brightness=0.1)
    options = {"config": still, "class_weights": "none", "seed": (0,)} | options
    return TrainBatches(Split(pixels, CLASSES), classes=3, batch_size=18, **options)


def test_an_image_that_is_shown_again_is_augmented_otherwise() -> None:
    images, targets, weights = train_batches(sampling="balanced")[0]
    assert targets.sum(0).tolist() == [6, 6, 6]
    assert (weights == 1).all()
    alone = images[targets.argmax(1) == 2]
    assert len({image.tobytes() for image in alone}) == 6


def test_batches_are_mixed_by_seed_and_seen_by_the_teacher_as_they_are_shown() -> None:
    def teacher(images: np.ndarray) -> np.ndarray:
        return np.stack([images.mean((1, 2, 3)), images.max((1, 2, 3)), images[:, 0, 0, 0]], 1)

    mixed = MixConfig(mixup=1)
    images, targets, _ = train_batches(mix=mixed, teacher=teacher)[0]
    np.testing.assert_allclose(targets[:, 3:], teacher(images), rtol=1e-5)
    assert (targets[:, :3].max(1) > 0).all()
    assert (targets[:, :3].max(1) < 1).any()
    again, plain = train_batches(mix=mixed)[0], train_batches()[0]
    np.testing.assert_array_equal(again[0], images)
    assert (plain[0] != images).any()
    assert set(plain[1].ravel()) == {0, 1}
