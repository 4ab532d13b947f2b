"""Batches for Keras: seeded order and augmentation, class weights as sample weights."""

import math
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from .augment import augment
from .config import AugmentConfig
from .dataset import Split

Batch = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]


class TrainBatches(keras.utils.PyDataset):  # type: ignore[misc]
    """The training split in seeded order, augmented: the same for the same seed and epoch."""

    def __init__(
        self,
        split: Split,
        *,
        classes: int,
        batch_size: int,
        config: AugmentConfig,
        class_weights: bool,
        seed: tuple[int, ...],
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self._split = split
        self._targets = np.eye(classes, dtype=np.float32)[split.classes]
        weights = balanced_weights(split.classes, classes=classes) if class_weights else None
        self._weights = (
            np.ones(len(split.classes), np.float32) if weights is None else weights[split.classes]
        )
        self._batch_size = batch_size
        self._config = config
        self._seed = seed
        self._epoch = 0
        self._order = self._draw_order()

    def __len__(self) -> int:
        return math.ceil(len(self._order) / self._batch_size)

    def __getitem__(self, index: int) -> Batch:
        """Return images (batch, h, w, 3) in 0..255, one-hot targets and sample weights, float32."""
        chosen = self._order[index * self._batch_size : (index + 1) * self._batch_size]
        images = [
            augment(self._split.pixels[i], self._config, self._rng(int(i) + 1)) for i in chosen
        ]
        return np.stack(images).astype(np.float32), self._targets[chosen], self._weights[chosen]

    def on_epoch_end(self) -> None:
        """Draw a new order and new augmentations."""
        self._epoch += 1
        self._order = self._draw_order()

    def _draw_order(self) -> NDArray[np.intp]:
        return self._rng(0).permutation(len(self._split.classes))

    def _rng(self, stream: int) -> np.random.Generator:
        return np.random.default_rng([*self._seed, self._epoch, stream])


def balanced_weights(classes_of: NDArray[np.intp], *, classes: int) -> NDArray[np.float32]:
    """Return a weight per class, float32 of shape (classes,), so that each class counts alike.

    w_c = n / (k n_c), whose mean over the n images is 1 (King and Zeng 2001).
    """
    counts = np.bincount(classes_of, minlength=classes)
    return np.asarray(len(classes_of) / (classes * np.maximum(counts, 1)), np.float32)
