"""The head on a frozen backbone: its features are computed once, so that an epoch is cheap.

A frozen backbone answers the same image with the same features every epoch. They are kept for the
images as they are and for a few augmented draws of each; the head then trains on those alone.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import click
import keras
import numpy as np
from numpy.typing import NDArray

from ...edge_runtime.files import DAMAGED_ARRAYS, whole_file
from ...edge_runtime.preprocess import preprocess
from ...models.data.batches import SeededBatches
from ...models.data.mix import Batch
from ...models.networks.architectures import architecture
from ...models.networks.classifier import FEATURES_NAME, build_classifier, traced
from ..config import TrainConfig
from .batch_streams import TrainingData

FEATURES_FILE = "features.npz"

# What is kept on disk is bounded: a gigabyte is 65,000 images of DenseNet121 in four draws.
_MOST_BYTES = 2**30


@dataclass(frozen=True)
class Features:
    """What the backbone makes of images, and what the head shall make of that.

    Attributes:
        values: float32 of shape (images, features).
        targets: float32 of shape (images, classes), with a teacher (images, 2 * classes).
        weights: of each image in the loss, float32 of shape (images,).
    """

    values: NDArray[np.float32]
    targets: NDArray[np.float32]
    weights: NDArray[np.float32]


def extract_features(model: keras.Model, batches: Iterable[Batch], *, images: int) -> Features:
    """Return the features of all `batches`, brought to the model's size if it is another.

    Args:
        model: a classifier of `models.classifier`.
        batches: the images.
        images: how many they are, for the progress.
    """
    backbone = traced(keras.Model(model.input, model.get_layer(FEATURES_NAME).output))
    size_hw = model.input.shape[1:3]
    parts = []
    with click.progressbar(length=images, label="Features of the backbone") as bar:
        for pixels, targets, weights in batches:
            [features] = backbone(_resized(pixels, size_hw))
            parts.append((features, targets, weights))
            bar.update(len(pixels))
    return Features(*map(np.concatenate, zip(*parts, strict=True)))


def _resized(images: NDArray[np.float32], size_hw: tuple[int, int]) -> NDArray[np.float32]:
    if images.shape[1:3] == size_hw:
        return images
    resized = [
        preprocess(np.rint(image).astype(np.uint8), size_hw=size_hw, rule="stretch")
        for image in images
    ]
    return np.stack(resized).astype(np.float32)


def head_features(
    model: keras.Model, training_data: TrainingData, *, seed: tuple[int, ...], key: dict[str, Any]
) -> tuple[Features, Features]:
    """Return the features to train and to validate the head on.

    They are kept in the run's folder until it is finished, unless they are very large: they are
    what takes long in this phase, and a training that goes on need not make them again.

    However small the images that the head is trained on, it is validated on those of its use.

    Args:
        model: a classifier with the weights it starts from.
        training_data: what it is shown.
        seed: of the augmentation.
        key: what tells this training from others.
    """
    config, splits = training_data.config, training_data.dataset.splits
    path = config.out / FEATURES_FILE
    cached = _cached_features(path, key)
    if cached is not None:
        return cached
    train = extract_features(
        _at_head_size(model, config),
        training_data.head(seed),
        images=config.head_draws * len(training_data.dataset.shown.classes),
    )
    val = extract_features(model, training_data.head_val(), images=len(splits["val"].classes))
    arrays = {
        f"{split}_{name}": array
        for split, features in (("train", train), ("val", val))
        for name, array in vars(features).items()
    }
    if sum(array.nbytes for array in arrays.values()) <= _MOST_BYTES:
        with whole_file(path) as temporary, temporary.open("wb") as file:
            np.savez(file, key=np.array(json.dumps(key)), **arrays)
    return train, val


def _cached_features(path: Path, key: dict[str, Any]) -> tuple[Features, Features] | None:
    """Return what the file holds, or None if it is missing, damaged or another training's."""
    try:
        with np.load(path) as archive:
            if json.loads(str(archive["key"])) != key:
                return None
            train, val = (
                Features(*(archive[f"{split}_{field.name}"] for field in fields(Features)))
                for split in ("train", "val")
            )
            return train, val
    except DAMAGED_ARRAYS:
        return None


def _at_head_size(model: keras.Model, config: TrainConfig) -> keras.Model:
    """Return `model` for images of the size that the head is trained on."""
    if config.head_input_hw == config.input_hw:
        return model
    smaller = build_classifier(
        architecture(config.architecture),
        classes=model.output.shape[-1],
        input_hw=config.head_input_hw,
    )
    for layer in smaller.layers:
        if layer.weights:
            layer.set_weights(model.get_layer(layer.name).get_weights())
    return smaller


def head_of(model: keras.Model) -> keras.Model:
    """Return the layers behind the backbone as a model of its features; they stay shared."""
    names = [layer.name for layer in model.layers]
    features = model.get_layer(FEATURES_NAME).output
    start: Any = keras.Input(features.shape[1:], name="features")
    x = start
    for layer in model.layers[names.index(FEATURES_NAME) + 1 :]:
        x = layer(x)
    return keras.Model(start, x)


class FeatureBatches(SeededBatches):
    """Features in seeded order: the same for the same seed and epoch."""

    def __init__(
        self, features: Features, *, batch_size: int, seed: tuple[int, ...], **options: Any
    ) -> None:
        self._arrays = (features.values, features.targets, features.weights)
        super().__init__(batch_size=batch_size, seed=seed, **options)

    def __getitem__(self, index: int) -> tuple[NDArray[np.float32], ...]:
        """Return features (batch, features), targets and sample weights, float32."""
        chosen = self._order[self._part(index)]
        return tuple(array[chosen] for array in self._arrays)

    def _draw_order(self) -> NDArray[np.intp]:
        return self._rng().permutation(len(self._arrays[0]))
