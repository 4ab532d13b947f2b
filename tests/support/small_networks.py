"""Small classifiers with drawn weights, whose scores depend on what they see."""

import keras
import numpy as np

from edgeclf.models.networks.architectures import Architecture, DenseNet
from edgeclf.models.networks.classifier import build_classifier

# Wide enough that channels of every kind may leave: they do so by the eight.
SMALL_DENSENET = Architecture(
    "small-densenet", 32, 16, None, DenseNet((2, 2), growth_rate=16, stem_channels=16, stem="small")
)


def small_densenet(seed: int = 0, *, classes: int = 4) -> keras.Model:
    """Return a DenseNet of two blocks of two layers for images of 32 × 32 pixels."""
    keras.utils.set_random_seed(seed)
    model = build_classifier(SMALL_DENSENET, classes=classes, input_hw=(32, 32))
    return with_drawn_statistics(model, seed)


def with_drawn_statistics(model: keras.Model, seed: int) -> keras.Model:
    """Give each BatchNorm of `model` parameters and statistics as a training may leave them."""
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            size = layer.gamma.shape
            layer.gamma.assign(rng.uniform(0.5, 1.5, size))
            layer.beta.assign(rng.normal(0, 0.3, size))
            layer.moving_mean.assign(rng.normal(0, 0.2, size))
            layer.moving_variance.assign(rng.uniform(0.2, 1.0, size))
    return model


def drawn_images(count: int, seed: int = 0, *, side: int = 32) -> np.ndarray:
    """Return smooth RGB uint8 pictures of shape (count, side, side, 3)."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (count, side // 8, side // 8, 3))
    fine = rng.integers(-20, 21, (count, side, side, 3))
    return np.clip(coarse.repeat(8, 1).repeat(8, 2) + fine, 0, 255).astype(np.uint8)
