"""Batches for Keras: seeded order and augmentation, class weights as sample weights."""

import math
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from .augment import AugmentConfig, augment
from .examples import ClassWeights, Split, image_weights

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
        class_weights: ClassWeights,
        seed: tuple[int, ...],
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self._split = split
        self._targets = np.eye(classes, dtype=np.float32)[split.classes]
        self._weights = image_weights(split.classes, rule=class_weights)
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


class ValidationBatches(keras.utils.PyDataset):  # type: ignore[misc]
    """A split in order and unchanged, converted to float a batch at a time."""

    def __init__(self, split: Split, *, classes: int, batch_size: int = 32, **options: Any) -> None:
        super().__init__(**options)
        self._split = split
        self._targets = np.eye(classes, dtype=np.float32)[split.classes]
        self._batch_size = batch_size

    def __len__(self) -> int:
        return math.ceil(len(self._targets) / self._batch_size)

    def __getitem__(self, index: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return images (batch, h, w, 3) in 0..255 and one-hot targets, float32."""
        part = slice(index * self._batch_size, (index + 1) * self._batch_size)
        return self._split.pixels[part].astype(np.float32), self._targets[part]
