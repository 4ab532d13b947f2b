"""What a training shows the network: its batches, as the configuration wants them."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ...models.data.augment import AugmentConfig
from ...models.data.batches import Teacher, TrainBatches, ValidationBatches
from ...models.data.mix import Batch, MixConfig
from ...models.run import read_run
from ..config import TrainConfig
from .dataset import Dataset
from .distillation import TeacherModel

_STILL = AugmentConfig(rotation=0, zoom=0, flip="none", brightness=0)


@dataclass(frozen=True)
class TrainingData:
    """The images of a training, and what teaches.

    Attributes:
        dataset: the images.
        config: the training.
        teacher: scores images; None for the labels alone.
    """

    dataset: Dataset
    config: TrainConfig
    teacher: Teacher | None

    def train(self, seed: tuple[int, ...], *, still: bool = False) -> TrainBatches:
        """Return the training split, an epoch after the other; `still` shows it unchanged."""
        config = self.config
        return TrainBatches(
            self.dataset.shown,
            classes=len(self.dataset.labels),
            batch_size=config.batch_size,
            config=_STILL if still else config.augment,
            class_weights=config.class_weights,
            seed=seed,
            sampling=config.sampling,
            mix=MixConfig() if still else config.mix,
            teacher=self.teacher,
        )

    def head(self, seed: tuple[int, ...]) -> Iterator[Batch]:
        """Return the draws that the head is trained on: one unchanged, then augmented ones."""
        still, drawn = self.train(seed, still=True), self.train(seed)
        for index in range(len(still)):
            yield still[index]
        for _ in range(1, self.config.head_draws):
            drawn.on_epoch_end()
            for index in range(len(drawn)):
                yield drawn[index]

    def val(self) -> ValidationBatches:
        """Return the validation split."""
        return ValidationBatches(
            self.dataset.splits["val"], classes=len(self.dataset.labels), teacher=self.teacher
        )

    def head_val(self) -> Iterator[Batch]:
        """Return the validation split as batches of which each image weighs the same."""
        val = self.val()
        for index in range(len(val)):
            images, targets = val[index]
            yield images, targets, np.ones(len(images), np.float32)


def prepare_training_data(dataset: Dataset, config: TrainConfig) -> TrainingData:
    """Return the training data of `dataset`, with the teacher that `config` names."""
    teacher = None
    if config.distill is not None:
        teacher = TeacherModel(read_run(config.distill.teacher).info)
    return TrainingData(dataset, config, teacher)
