"""What can be chosen of a training. Light: importing this loads no TensorFlow."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ..edge_runtime.preprocess import ResizeRule
from ..models.data.augment import AugmentConfig
from ..models.data.examples import ClassWeights, Sampling
from ..models.data.mix import MixConfig

Schedule = Literal["cosine", "plateau"]
Precision = Literal["float32", "bfloat16"]


@dataclass(frozen=True)
class PhaseConfig:
    """One stretch of training.

    Attributes:
        name: `head` (backbone frozen), `fine-tune` (BatchNorm frozen), `scratch` (nothing is), or
            `slim` (all is: an epoch that says how good a slimmed network is as it comes).
        epochs: at most so many.
        learning_rate: Adam's, once it has warmed up.
        schedule: how the learning rate falls: where the validation loss no longer does (`plateau`,
            which also ends the phase early), or along a cosine over all epochs.
        layer_decay: share of it that the first layer gets; the last has all of it.
    """

    name: Literal["head", "fine-tune", "scratch", "slim"]
    epochs: int
    learning_rate: float
    schedule: Schedule = "cosine"
    layer_decay: float = 1.0


@dataclass(frozen=True)
class DistillConfig:
    """What a trained run teaches.

    Attributes:
        teacher: folder of the run.
        temperature: by which both networks' logits are divided.
        weight: of the teacher in the loss, 0..1; the labels have the rest.
        unlabelled: folder of more photographs, of which the teacher alone says what they show.
    """

    teacher: Path
    temperature: float = 4.0
    weight: float = 0.5
    unlabelled: Path | None = None


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
        head_input_hw: the same while the head is trained.
        resize: how a photograph is brought to that size.
        val_fraction: share of the images for validation.
        test_fraction: share of the images for the test.
        batch_size: images of a step.
        precision: of the steps that train the whole network.
        phases: in order.
        head_draws: how often an epoch of the head shows each image, once as it is and then
            augmented.
        patience: epochs without a better validation loss before a phase ends.
        label_smoothing: share of the target spread over all classes.
        class_weights: how much more the images of rare classes weigh in the loss: not at all, by
            the square root of their rarity, or so that all classes count alike.
        dropout: share of the features dropped before the head.
        augment: how training images are changed.
        mix: how they are mixed with one another.
        sampling: which of them an epoch shows: each once, or each class equally often.
        distill: what teaches; None for the labels alone.
        test_draws: augmented copies of each test image for the averaged test figures; 1 for none.
        seed: of split, order, augmentation and initialisation.
        channels: output channels of convolutions that have fewer than the architecture gives them,
            by the layer's name.
    """

    data: Path
    out: Path
    architecture: str
    weights: str
    groups: Path | None
    input_hw: tuple[int, int]
    head_input_hw: tuple[int, int]
    resize: ResizeRule
    val_fraction: float
    test_fraction: float
    batch_size: int
    precision: Precision
    phases: tuple[PhaseConfig, ...]
    head_draws: int
    patience: int
    label_smoothing: float
    class_weights: ClassWeights
    dropout: float
    augment: AugmentConfig
    mix: MixConfig
    sampling: Sampling
    distill: DistillConfig | None
    test_draws: int
    seed: int
    channels: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class GoodOnlyConfig:
    """How good images are learned where there are no others.

    Attributes:
        patches: in the memory, at most.
        false_defect: share of good images that may be called a defect.
    """

    patches: int
    false_defect: float


@dataclass(frozen=True)
class RunOptions:
    """What is done besides the training; it does not change what is learned.

    Attributes:
        overwrite: whether a run that is there already may be replaced.
        resume: whether to go on where a training that was interrupted has come to, if it has.
        tensorboard: whether to write its curves for TensorBoard, too.
        recall: of each class that the model's thresholds shall reach; None for no thresholds.
        masks: of the defects in the test images; None for `DATA-masks` where that exists.
        good: the class without a defect, for escape rate and overkill; None for neither. Where good
            images alone are learned, their folder.
    """

    overwrite: bool = False
    resume: bool = False
    tensorboard: bool = False
    recall: float | None = None
    masks: Path | None = None
    good: str | None = None
