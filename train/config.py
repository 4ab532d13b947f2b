"""What can be chosen of a training. Light: importing this loads no TensorFlow."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..edge_runtime.preprocess import ResizeRule
from ..models.augment import AugmentConfig
from ..models.examples import ClassWeights


@dataclass(frozen=True)
class PhaseConfig:
    """One stretch of training.

    Attributes:
        name: `head` (backbone frozen), `fine-tune` (BatchNorm frozen) or `scratch` (nothing is).
        epochs: at most so many.
        learning_rate: Adam's, at the start.
    """

    name: Literal["head", "fine-tune", "scratch"]
    epochs: int
    learning_rate: float


@dataclass(frozen=True)
class TrainConfig:
    """A whole training.

    Attributes:
        data: folder of images, a folder per class.
        out: the run's folder.
        architecture: name of the network.
        weights: `imagenet`, `none`, or a weights file.
        groups: CSV with columns path, group; images of a group are never parted.
        input_hw: input height and width in pixels.
        resize: how a photograph is brought to that size.
        val_fraction: share of the images for validation.
        test_fraction: share of the images for the test.
        batch_size: images of a step.
        phases: in order.
        head_draws: how often an epoch of the head shows each image, once as it is and then
            augmented.
        patience: epochs without a better validation loss before a phase ends.
        label_smoothing: share of the target spread over all classes.
        class_weights: how much more the images of rare classes weigh in the loss: not at all, by
            the square root of their rarity, or so that all classes count alike.
        dropout: share of the features dropped before the head.
        augment: how training images are changed.
        seed: of split, order, augmentation and initialisation.
    """

    data: Path
    out: Path
    architecture: str
    weights: str
    groups: Path | None
    input_hw: tuple[int, int]
    resize: ResizeRule
    val_fraction: float
    test_fraction: float
    batch_size: int
    phases: tuple[PhaseConfig, ...]
    head_draws: int
    patience: int
    label_smoothing: float
    class_weights: ClassWeights
    dropout: float
    augment: AugmentConfig
    seed: int
