"""The head's training data: what the frozen backbone makes of the images, computed once."""

from dataclasses import fields

import numpy as np
import pytest

from edgeclf.models.architectures import architecture
from edgeclf.models.augment import AugmentConfig
from edgeclf.models.densenet import build_classifier
from edgeclf.models.examples import Split
from edgeclf.train import features as features_module
from edgeclf.train.config import TrainConfig
from edgeclf.train.features import KEPT_NAME, extract_features, head_features, head_of


@pytest.fixture(scope="module")
def model():
    return build_classifier(
        architecture("densenet-tiny"), classes=3, input_hw=(32, 32), dropout=0.5
    )


@pytest.fixture(scope="module")
def split() -> Split:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 32, 32, 3), np.uint8)
    return Split(pixels, np.arange(40) % 3)


def features_of(model, split: Split, *, draws: int, seed: int = 0):
    return extract_features(model, split, augment_as=AugmentConfig(), draws=draws, seed=(seed,))


def test_the_head_answers_features_as_the_whole_answers_images(model, split: Split) -> None:
    features = features_of(model, split, draws=1)
    whole = model.predict_on_batch(split.pixels.astype(np.float32))
    head = head_of(model).predict_on_batch(features.values)
    np.testing.assert_allclose(head, whole, atol=1e-6)
    np.testing.assert_array_equal(features.classes, split.classes)


def test_the_head_shares_its_weights_with_the_whole(model) -> None:
    assert head_of(model).weights[0] is model.get_layer("predictions").kernel


def test_later_draws_are_augmented_and_seeded(model, split: Split) -> None:
    plain = features_of(model, split, draws=1)
    drawn = features_of(model, split, draws=3)
    first, second, third = np.split(drawn.values, 3)
    np.testing.assert_array_equal(first, plain.values)
    assert np.abs(second - first).max() > 1e-3
    assert np.abs(third - second).max() > 1e-3
    np.testing.assert_array_equal(drawn.classes, np.tile(split.classes, 3))
    np.testing.assert_array_equal(drawn.values, features_of(model, split, draws=3).values)
    assert (drawn.values != features_of(model, split, draws=3, seed=1).values).any()


def test_the_features_are_kept_for_the_same_training_only(
    model, split: Split, tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = TrainConfig(
        **dict.fromkeys(field.name for field in fields(TrainConfig))
        | {"out": tmp_path, "augment": AugmentConfig(), "head_draws": 2}
    )
    splits = {"train": split, "val": split}

    def make(**key: int) -> list[np.ndarray]:
        made.clear()
        return [f.values for f in head_features(model, splits, config, seed=(0,), key=key)]

    made: list[int] = []
    extract = features_module.extract_features

    def counted(*arguments, **options):
        made.append(options["draws"])
        return extract(*arguments, **options)

    monkeypatch.setattr(features_module, "extract_features", counted)
    first = make(seed=0)
    assert made == [2, 1]
    np.testing.assert_array_equal(make(seed=0)[0], first[0])
    assert made == []
    make(seed=1)
    assert made == [2, 1]
    (tmp_path / KEPT_NAME).write_bytes(b"damaged")
    np.testing.assert_array_equal(make(seed=1)[1], first[1])
    assert made == [2, 1]

    (tmp_path / KEPT_NAME).unlink()
    monkeypatch.setattr(features_module, "_MOST_BYTES", first[0].nbytes)
    make(seed=1)
    assert not (tmp_path / KEPT_NAME).exists()
