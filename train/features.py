"""The head on a frozen backbone: its features are computed once, so that an epoch is cheap.

A frozen backbone answers the same image with the same features every epoch. They are kept for the
images as they are and for a few augmented draws of each; the head then trains on those alone.
"""

from dataclasses import dataclass
from typing import Any

import click
import keras
import numpy as np
from numpy.typing import NDArray

from ..models.augment import AugmentConfig, augment
from ..models.classifier import FEATURES_NAME
from ..models.examples import Split

_BATCH = 32


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


def head_of(model: keras.Model) -> keras.Model:
    """Return the layers behind the backbone as a model of its features; they stay shared."""
    names = [layer.name for layer in model.layers]
    features = model.get_layer(FEATURES_NAME).output
    start: Any = keras.Input(features.shape[1:], name="features")
    x = start
    for layer in model.layers[names.index(FEATURES_NAME) + 1 :]:
        x = layer(x)
    return keras.Model(start, x)
