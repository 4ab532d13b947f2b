"""The head's training data: what the frozen backbone makes of the images, computed once."""

import numpy as np
import pytest

from edgeclf.edge_runtime.preprocess import preprocess
from edgeclf.models.architectures import architecture
from edgeclf.models.augment import AugmentConfig
from edgeclf.models.batches import TrainBatches, ValidationBatches
from edgeclf.models.classifier import build_classifier
from edgeclf.models.examples import Split
from edgeclf.train.features import Features, extract_features, head_of


@pytest.fixture(scope="module")
def model():
    return build_classifier(
        architecture("densenet-tiny"), classes=3, input_hw=(32, 32), dropout=0.5
    )


def split(size: int = 32) -> Split:
    pixels = np.random.default_rng(0).integers(0, 256, (40, size, size, 3), np.uint8)
    return Split(pixels, np.arange(40) % 3)


def features_of(model, images: Split) -> Features:
    batches = ValidationBatches(images, classes=3)
    weighted = ((*batches[i], np.ones(len(batches[i][0]), "f4")) for i in range(len(batches)))
    return extract_features(model, weighted, images=40)


def test_the_head_answers_features_as_the_whole_answers_images(model) -> None:
    features = features_of(model, split())
    whole = model.predict_on_batch(split().pixels.astype(np.float32))
    head = head_of(model).predict_on_batch(features.values)
    np.testing.assert_allclose(head, whole, atol=1e-6)
    np.testing.assert_array_equal(features.targets.argmax(1), split().classes)
    assert (features.weights == 1).all()


def test_the_head_shares_its_weights_with_the_whole(model) -> None:
    assert head_of(model).weights[0] is model.get_layer("predictions").kernel


def test_images_of_another_size_are_brought_to_the_models(model) -> None:
    large = split(50)
    small = [preprocess(image, size_hw=(32, 32), rule="stretch") for image in large.pixels]
    expected = features_of(model, Split(np.stack(small), large.classes))
    np.testing.assert_array_equal(features_of(model, large).values, expected.values)


def test_features_keep_the_targets_and_weights_of_their_batches(model) -> None:
    images = Split(split().pixels, np.array([0] * 30 + [1] * 8 + [2] * 2))
    batches = TrainBatches(
        images,
        classes=3,
        batch_size=16,
        config=AugmentConfig(),
        class_weights="balanced",
        seed=(0,),
    )
    all_of_it = [batches[i] for i in range(len(batches))]
    features = extract_features(model, all_of_it, images=40)
    for name, index in (("targets", 1), ("weights", 2)):
        expected = np.concatenate([batch[index] for batch in all_of_it])
        np.testing.assert_array_equal(getattr(features, name), expected)
