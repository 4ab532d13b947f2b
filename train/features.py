"""The head on a frozen backbone: its features are computed once, so that an epoch is cheap.

A frozen backbone answers the same image with the same features every epoch. They are kept for the
images as they are and for a few augmented draws of each; the head then trains on those alone.
"""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import keras
import numpy as np
from numpy.typing import NDArray

from ..edge_runtime.files import DAMAGED_ARRAYS, whole_file
from ..models.augment import AugmentConfig, augment
from ..models.classifier import FEATURES_NAME
from ..models.examples import Split
from .config import TrainConfig

KEPT_NAME = "features.npz"

_BATCH = 32
# What is kept on disk is bounded: a gigabyte is 65,000 images of DenseNet121 in four draws.
_MOST_BYTES = 2**30


@dataclass(frozen=True)
class Features:
    """What the backbone makes of a split.

    Attributes:
        values: float32 of shape (draws * images, features).
        classes: class index of each, of shape (draws * images,).
    """

    values: NDArray[np.float32]
    classes: NDArray[np.intp]


def extract_features(
    model: keras.Model,
    split: Split,
    *,
    augment_as: AugmentConfig,
    draws: int,
    seed: tuple[int, ...],
) -> Features:
    """Return the features of `split`: first of its images as they are, then of augmented ones.

    Args:
        model: a classifier of `models.classifier`.
        split: its images.
        augment_as: how far the images of the later draws are changed.
        draws: how often each image is shown; with 1, only unchanged.
        seed: of the augmentation.
    """
    backbone = keras.Model(model.input, model.get_layer(FEATURES_NAME).output)
    images = len(split.classes)
    parts = []
    with click.progressbar(length=draws * images, label="Features of the backbone") as bar:
        for draw in range(draws):
            for start in range(0, images, _BATCH):
                pixels = split.pixels[start : start + _BATCH]
                if draw:
                    pixels = np.stack(
                        [
                            augment(image, augment_as, np.random.default_rng([*seed, draw, index]))
                            for index, image in enumerate(pixels, start)
                        ]
                    )
                parts.append(np.asarray(backbone.predict_on_batch(pixels.astype(np.float32))))
                bar.update(len(pixels))
    return Features(np.concatenate(parts), np.tile(split.classes, draws))


def head_features(
    model: keras.Model,
    splits: dict[str, Split],
    config: TrainConfig,
    *,
    seed: tuple[int, ...],
    key: dict[str, Any],
) -> tuple[Features, Features]:
    """Return the features to train and to validate the head on.

    They are kept in the run's folder until it is finished, unless they are very large: they are
    what takes long in this phase, and a training that goes on need not make them again.

    Args:
        model: a classifier with the weights it starts from.
        splits: `train` and `val` among them.
        config: the training.
        seed: of the augmentation.
        key: what tells this training from others.
    """
    path = config.out / KEPT_NAME
    train, val = splits["train"], splits["val"]
    classes = np.tile(train.classes, config.head_draws)
    values = _kept_values(path, key)
    if values is None:
        values = tuple(
            extract_features(model, split, augment_as=config.augment, draws=draws, seed=seed).values
            for split, draws in ((train, config.head_draws), (val, 1))
        )
        if sum(array.nbytes for array in values) <= _MOST_BYTES:
            with whole_file(path) as temporary, temporary.open("wb") as file:
                np.savez(file, key=np.array(json.dumps(key)), train=values[0], val=values[1])
    return Features(values[0], classes), Features(values[1], val.classes)


def _kept_values(path: Path, key: dict[str, Any]) -> tuple[NDArray[np.float32], ...] | None:
    """Return what the file holds, or None if it is missing, damaged or another training's."""
    try:
        with np.load(path) as archive:
            if json.loads(str(archive["key"])) != key:
                return None
            return archive["train"], archive["val"]
    except DAMAGED_ARRAYS:
        return None


def head_of(model: keras.Model) -> keras.Model:
    """Return the layers behind the backbone as a model of its features; they stay shared."""
    names = [layer.name for layer in model.layers]
    features = model.get_layer(FEATURES_NAME).output
    start: Any = keras.Input(features.shape[1:], name="features")
    x = start
    for layer in model.layers[names.index(FEATURES_NAME) + 1 :]:
        x = layer(x)
    return keras.Model(start, x)


class FeatureBatches(keras.utils.PyDataset):  # type: ignore[misc]
    """Features in seeded order: the same for the same seed and epoch."""

    def __init__(
        self,
        features: Features,
        *,
        targets: NDArray[np.float32],
        weights: NDArray[np.float32],
        batch_size: int,
        seed: tuple[int, ...],
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self._arrays = (features.values, targets, weights)
        self._batch_size = batch_size
        self._seed = seed
        self._epoch = 0
        self._order = self._draw_order()

    def __len__(self) -> int:
        return math.ceil(len(self._order) / self._batch_size)

    def __getitem__(self, index: int) -> tuple[NDArray[np.float32], ...]:
        """Return features (batch, features), one-hot targets and sample weights, float32."""
        chosen = self._order[index * self._batch_size : (index + 1) * self._batch_size]
        return tuple(array[chosen] for array in self._arrays)

    def on_epoch_end(self) -> None:
        """Draw a new order."""
        self._epoch += 1
        self._order = self._draw_order()

    def _draw_order(self) -> NDArray[np.intp]:
        rng = np.random.default_rng([*self._seed, self._epoch])
        return rng.permutation(len(self._arrays[0]))
