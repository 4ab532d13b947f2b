"""Batches for Keras: seeded order and augmentation, class weights as sample weights."""

import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from .augment import AugmentConfig, augment
from .examples import ClassWeights, Sampling, Split, draw_order, image_weights
from .mix import Batch, MixConfig, mix_batch

# Makes float32 scores (batch, classes) of images (batch, h, w, 3) in 0..255.
Teacher = Callable[[NDArray[Any]], NDArray[np.float32]]


class SeededBatches(keras.utils.PyDataset):  # type: ignore[misc]
    """Batches in an order that each epoch draws anew: the same for the same seed and epoch.

    What `_draw_order` of a subclass reads must be there before this is initialised.
    """

    def __init__(self, *, batch_size: int, seed: tuple[int, ...], **options: Any) -> None:
        super().__init__(**options)
        self._batch_size = batch_size
        self._seed = seed
        self._epoch = 0
        self._order = self._draw_order()

    def __len__(self) -> int:
        return math.ceil(len(self._order) / self._batch_size)

    def on_epoch_end(self) -> None:
        """Go on to the next epoch, with an order of its own."""
        self._epoch += 1
        self._order = self._draw_order()

    def _draw_order(self) -> NDArray[np.intp]:
        """Return what is shown in this epoch, as indices, in order."""
        raise NotImplementedError

    def _part(self, index: int) -> slice:
        return slice(index * self._batch_size, (index + 1) * self._batch_size)

    def _rng(self, *stream: int) -> np.random.Generator:
        return np.random.default_rng([*self._seed, self._epoch, *stream])


class TrainBatches(SeededBatches):
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
        sampling: Sampling = "shuffled",
        mix: MixConfig | None = None,
        teacher: Teacher | None = None,
        **options: Any,
    ) -> None:
        """Show `split`, whose targets the scores of a teacher follow if there is one."""
        self._split = split
        # An image without a class has zeros.
        self._targets = np.eye(classes + 1, classes, dtype=np.float32)[split.classes]
        self._weights = image_weights(split.classes, rule=class_weights)
        self._config = config
        self._sampling: Sampling = sampling
        self._mix = mix or MixConfig()
        self._teacher = teacher
        super().__init__(batch_size=batch_size, seed=seed, **options)

    def __getitem__(self, index: int) -> Batch:
        """Return images (batch, h, w, 3) in 0..255, targets and sample weights, float32.

        Targets are (batch, classes) and add up to 1, or to 0 without a label, or with a teacher
        (batch, 2 * classes).
        """
        part = self._part(index)
        chosen = self._order[part]
        images = np.stack(
            [
                augment(self._split.pixels[i], self._config, self._rng(int(i) + 1 + repeat))
                for i, repeat in zip(chosen, self._repeats[part], strict=True)
            ]
        ).astype(np.float32)
        batch = images, self._targets[chosen], self._weights[chosen]
        images, targets, weights = mix_batch(batch, self._mix, self._rng(0, index + 1))
        return images, with_teacher(targets, images, self._teacher), weights

    def _draw_order(self) -> NDArray[np.intp]:
        order = draw_order(self._split.classes, sampling=self._sampling, rng=self._rng(0))
        # An image that is shown again is augmented otherwise: its stream lies a split further on.
        by_image = np.argsort(order, kind="stable")
        first = np.searchsorted(order[by_image], order[by_image])
        self._repeats = np.empty_like(order)
        self._repeats[by_image] = len(order) * (np.arange(len(order)) - first)
        return order


def unlabelled_batches(
    pixels: NDArray[np.uint8], *, batch_size: int, config: AugmentConfig, seed: int
) -> TrainBatches:
    """Return images of which another network's scores are learned; their targets mean nothing.

    Args:
        pixels: RGB uint8 of shape (images, height, width, 3).
        batch_size: images of a step.
        config: how they are changed.
        seed: of order and augmentation.
    """
    return TrainBatches(
        Split(pixels, np.zeros(len(pixels), np.intp)),
        classes=1,
        batch_size=batch_size,
        config=config,
        class_weights="none",
        seed=(seed,),
    )


class ValidationBatches(keras.utils.PyDataset):  # type: ignore[misc]
    """A split in order and unchanged, converted to float a batch at a time."""

    def __init__(
        self,
        split: Split,
        *,
        classes: int,
        batch_size: int = 32,
        teacher: Teacher | None = None,
        **options: Any,
    ) -> None:
        """Show `split`, whose targets the scores of a teacher follow if there is one."""
        super().__init__(**options)
        self._split = split
        targets = np.eye(classes, dtype=np.float32)[split.classes]
        self._targets = with_teacher(targets, split.pixels, teacher)
        self._batch_size = batch_size

    def __len__(self) -> int:
        return math.ceil(len(self._targets) / self._batch_size)

    def __getitem__(self, index: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return images (batch, h, w, 3) in 0..255 and targets, float32."""
        part = slice(index * self._batch_size, (index + 1) * self._batch_size)
        return self._split.pixels[part].astype(np.float32), self._targets[part]


def with_teacher(
    targets: NDArray[np.float32], images: NDArray[Any], teacher: Teacher | None
) -> NDArray[np.float32]:
    """Return the targets (batch, classes), and to their right what the teacher says of `images`."""
    return targets if teacher is None else np.concatenate([targets, teacher(images)], axis=1)
