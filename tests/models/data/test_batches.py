"""What Keras is fed: every image once an epoch, seeded, with the weights of its class."""

import numpy as np
import pytest

from edgeclf.models.data.augment import AugmentConfig
from edgeclf.models.data.batches import TrainBatches, ValidationBatches
from edgeclf.models.data.examples import ClassWeights, Split, image_weights

STILL = AugmentConfig(rotation=0, zoom=0, flip="none", brightness=0)
CLASSES = np.array([0] * 8 + [1] * 2)


def split() -> Split:
    pixels = np.arange(10, dtype=np.uint8).reshape(10, 1, 1, 1) * np.ones((1, 8, 8, 3), np.uint8)
    return Split(pixels, CLASSES)


def train_batches(seed: int, config: AugmentConfig = STILL) -> TrainBatches:
    return TrainBatches(
        split(), classes=2, batch_size=4, config=config, class_weights="balanced", seed=(seed,)
    )


def order(batches: TrainBatches) -> list[int]:
    return [int(image[0, 0, 0]) for i in range(len(batches)) for image in batches[i][0]]


def test_an_epoch_shows_every_image_once_with_its_target_and_weight() -> None:
    batches = train_batches(0)
    assert [len(batches[i][0]) for i in range(len(batches))] == [4, 4, 2]
    assert sorted(order(batches)) == list(range(10))
    for i in range(len(batches)):
        images, targets, weights = batches[i]
        assert images.dtype == targets.dtype == weights.dtype == np.float32
        classes = CLASSES[images[:, 0, 0, 0].astype(int)]
        np.testing.assert_array_equal(targets.argmax(1), classes)
        np.testing.assert_allclose(weights, np.where(classes == 0, 0.625, 2.5))


def test_the_seed_and_the_epoch_decide_the_order_and_the_augmentation() -> None:
    first, again, other = train_batches(1), train_batches(1), train_batches(2)
    assert order(first) == order(again) != order(other)
    before = order(first)
    first.on_epoch_end()
    assert order(first) != before
    bright = [train_batches(1, AugmentConfig()) for _ in range(2)]
    np.testing.assert_array_equal(bright[0][0][0], bright[1][0][0])
    bright[1].on_epoch_end()
    assert (bright[0][0][0] != bright[1][0][0]).any()


def test_validation_is_in_order_and_unchanged() -> None:
    batches = ValidationBatches(split(), classes=2, batch_size=3)
    images = np.concatenate([batches[i][0] for i in range(len(batches))])
    np.testing.assert_array_equal(images, split().pixels)
    targets = np.concatenate([batches[i][1] for i in range(len(batches))])
    np.testing.assert_array_equal(targets.argmax(1), CLASSES)


@pytest.mark.parametrize(("rule", "ratio"), [("none", 1), ("sqrt", 2), ("balanced", 4)])
def test_rare_classes_weigh_more(rule: ClassWeights, ratio: float) -> None:
    weights = image_weights(CLASSES, rule=rule)
    assert weights.mean() == pytest.approx(1)
    assert weights[-1] / weights[0] == pytest.approx(ratio)
