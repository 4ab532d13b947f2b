"""The head's training data: what the frozen backbone makes of the images, computed once."""

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from edgeclf.edge_runtime.preprocess import preprocess
from edgeclf.models.data.augment import AugmentConfig
from edgeclf.models.data.batches import TrainBatches, ValidationBatches
from edgeclf.models.data.examples import Split
from edgeclf.models.data.mix import MixConfig
from edgeclf.models.networks.architectures import architecture
from edgeclf.models.networks.classifier import build_classifier
from edgeclf.train.config import TrainConfig
from edgeclf.train.data import features as features_module
from edgeclf.train.data.batch_streams import TrainingData
from edgeclf.train.data.dataset import Dataset
from edgeclf.train.data.features import (
    FEATURES_FILE,
    Features,
    extract_features,
    head_features,
    head_of,
)


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


def training_data(out: Path, teacher=None) -> TrainingData:
    config = TrainConfig(
        **dict.fromkeys(field.name for field in fields(TrainConfig))
        | {"out": out, "augment": AugmentConfig(), "mix": MixConfig(), "sampling": "shuffled"}
        | {"head_draws": 2, "batch_size": 16, "class_weights": "sqrt"}
        | {"input_hw": (32, 32), "head_input_hw": (32, 32)}
    )
    splits = {"train": split(), "val": split()}
    labels = ("one", "other", "third")
    return TrainingData(Dataset(labels, (), splits, np.zeros(0, bool), ()), config, teacher)


def test_the_head_is_trained_on_each_image_unchanged_and_augmented(model, tmp_path: Path) -> None:
    def teacher(images: np.ndarray) -> np.ndarray:
        return images.mean((1, 2))

    train, val = head_features(model, training_data(tmp_path, teacher), seed=(0,), key={})
    plain = features_of(model, split())
    np.testing.assert_array_equal(val.values, plain.values)

    def ordered(values: np.ndarray) -> np.ndarray:
        return values[np.lexsort(values.T)]

    unchanged, augmented = np.split(train.values, 2)
    np.testing.assert_allclose(ordered(unchanged), ordered(plain.values), atol=1e-6)
    assert np.abs(ordered(augmented) - ordered(plain.values)).max() > 1e-3
    assert np.bincount(train.targets[:, :3].argmax(1)).tolist() == [28, 26, 26]
    np.testing.assert_allclose(val.targets[:, 3:], split().pixels.mean((1, 2)), rtol=1e-4)


def test_the_features_are_kept_for_the_same_training_only(
    model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def make(**key: int) -> list[Features]:
        made.clear()
        return list(head_features(model, training_data(tmp_path), seed=(0,), key=key))

    made: list[int] = []
    extract = features_module.extract_features

    def counted(*arguments, **options):
        made.append(options["images"])
        return extract(*arguments, **options)

    monkeypatch.setattr(features_module, "extract_features", counted)
    first = make(seed=0)
    assert made == [80, 40]
    again = make(seed=0)
    assert made == []
    for one, other in zip(first, again, strict=True):
        for field in fields(Features):
            np.testing.assert_array_equal(getattr(one, field.name), getattr(other, field.name))
    make(seed=1)
    assert made == [80, 40]
    (tmp_path / FEATURES_FILE).write_bytes(b"damaged")
    np.testing.assert_array_equal(make(seed=1)[1].values, first[1].values)
    assert made == [80, 40]

    (tmp_path / FEATURES_FILE).unlink()
    monkeypatch.setattr(features_module, "_MOST_BYTES", first[0].values.nbytes)
    make(seed=1)
    assert not (tmp_path / FEATURES_FILE).exists()
